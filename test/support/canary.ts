import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Every form in which a value may lie somewhere: as it is, escaped, encoded, also in the middle of something encoded. */
export function formsOf(value: string): string[] {
  const bytes = Buffer.from(value)
  // Padding before it moves the value within the groups of three; what the neighbours share of a group is cut off.
  const shifted = [0, 1, 2].map((by) =>
    Buffer.concat([Buffer.alloc(by), bytes])
      .toString('base64')
      .slice(by === 0 ? 0 : 4, -4),
  )
  const url = shifted.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))
  const hex = bytes.toString('hex')
  const escaped = [JSON.stringify(value).slice(1, -1), encodeURIComponent(value)]
  return [...new Set([value, ...escaped, ...shifted, ...url, hex, hex.toUpperCase()])]
}

/** The files below a folder in which one of the texts lies, relative to it; `leaveOut` names folders of its own. */
export function filesWith(folder: string, texts: string[], leaveOut: string[] = []): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((file) => !leaveOut.some((name) => file.startsWith(`${name}/`)))
    .filter((file) => holdsOne(readFileSync(join(folder, file)), texts))
}

/** Watches the environments and arguments of processes for texts; gives the command lines of those that hold one. */
export class ProcessWatch implements Disposable {
  readonly found = new Set<string>()
  /** Processes that were looked at. */
  readonly seen = new Set<number>()
  readonly #timer: NodeJS.Timeout

  constructor(pids: () => number[], texts: string[], everyMs = 100) {
    this.#timer = setInterval(() => {
      for (const pid of pids()) this.#look(pid, texts)
    }, everyMs)
  }

  #look(pid: number, texts: string[]): void {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`)
      const environment = readFileSync(`/proc/${pid}/environ`)
      this.seen.add(pid)
      if (holdsOne(line, texts) || holdsOne(environment, texts)) this.found.add(line.toString())
    } catch {} // it has ended
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

const holdsOne = (bytes: Buffer, texts: string[]) => texts.some((text) => bytes.includes(text))
