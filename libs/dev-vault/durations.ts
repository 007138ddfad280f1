const UNIT_MS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Reads what Vault reads as a duration: 90, "90" (seconds), "1h30m", "1.5h", "7d". Milliseconds, or undefined. */
export function parseVaultDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.trunc(value) * 1000 : undefined
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (text === '') return 0
  if (/^-?\d+$/.test(text)) return Number(text) * 1000
  return parseGoDuration(text)
}

/** A duration as Go prints it: `1h0m0s`, `5m0s`, `30s`. */
export function goDuration(ms: number): string {
  if (ms < 0) return `-${goDuration(-ms)}`
  const seconds = Math.floor(ms / 1000)
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'm'],
    [seconds % 60, 's'],
  ] as const
  const first = parts.findIndex(([figure]) => figure > 0)
  return parts
    .slice(first < 0 ? 2 : first)
    .map((part) => part.join(''))
    .join('')
}

/** Milliseconds as whole seconds, as every reply carries them. */
export const inSeconds = (ms: number) => Math.floor(ms / 1000)

function parseGoDuration(text: string): number | undefined {
  const negative = text.startsWith('-')
  const body = negative ? text.slice(1) : text
  let total = 0
  let read = 0
  for (const match of body.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/gy)) {
    total += Number(match[1]) * UNIT_MS[match[2]!]!
    read += match[0].length
  }
  if (read === 0 || read !== body.length) return undefined
  return negative ? -total : total
}
