const DURATION_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZE_BYTES: Record<string, number> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
}

/** Reads a duration such as `500ms`, `30s`, `5m`, `1h`, `7d`. Gives milliseconds, or undefined when it is none. */
export function parseDurationMs(text: string): number | undefined {
  return parseQuantity(text, DURATION_MS)
}

/** Reads a size such as `50MB` or `64MiB`. Gives bytes, or undefined when it is none. */
export function parseSizeBytes(text: string): number | undefined {
  return parseQuantity(text, SIZE_BYTES)
}

/** A duration for people: `7 ms`, `1.50 s`, `3 m 5 s`. */
export function formatDuration(ms: number): string {
  if (Math.round(ms) < 1000) return `${Math.round(ms)} ms`
  if (Math.round(ms / 10) < 6000) return `${(ms / 1000).toFixed(2)} s`
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)} m ${seconds % 60} s`
}

function parseQuantity(text: string, units: Record<string, number>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim())
  const unit = match && Object.hasOwn(units, match[2]!) ? units[match[2]!] : undefined
  return unit === undefined ? undefined : Math.round(Number(match![1]) * unit)
}
