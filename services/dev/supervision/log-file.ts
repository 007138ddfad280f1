import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'

/** What one service writes on stdout and stderr. The last run's file is kept as `<file>.1`. */
export class LogFile {
  readonly path: string
  readonly #fd: number
  #mark = 0

  constructor(path: string) {
    if (existsSync(path)) renameSync(path, `${path}.1`)
    this.path = path
    this.#fd = openSync(path, 'a', 0o600)
  }

  /** The descriptor for a child; from here on {@link lastLines} shows what this child wrote. */
  begin(): number {
    this.#mark = statSync(this.path).size
    return this.#fd
  }

  /** The last lines written since the last {@link begin}. */
  lastLines(count = 25): string[] {
    const text = readFileSync(this.path).subarray(this.#mark).toString('utf8').trimEnd()
    return text === '' ? [] : text.split('\n').slice(-count)
  }

  close(): void {
    closeSync(this.#fd)
  }
}
