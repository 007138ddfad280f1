import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onDispose, PermanentError } from '#lib/runtime'

/** Another cluster runs on the same data directory. */
export class DataInUseError extends PermanentError {
  override readonly name = 'DataInUseError'
  constructor(data: string, pid: number) {
    super(
      `a cluster already runs on ${data} (process ${pid}); stop it, or give another directory with --data`,
    )
  }
}

/** Holds the data directory for one supervisor. A lock whose process is gone is taken over. @throws DataInUseError */
export function lockData(data: string): AsyncDisposable {
  const file = join(data, 'up.lock')
  const holder = holderOf(file)
  if (holder !== undefined) throw new DataInUseError(data, holder)
  rmSync(file, { force: true })
  writeFileSync(file, `${process.pid}\n`, { flag: 'wx', mode: 0o600 })
  return onDispose(() => rmSync(file, { force: true }))
}

function holderOf(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    return pid !== process.pid && isSupervisor(pid) ? pid : undefined
  } catch {
    return undefined
  }
}

/** A process id may belong to another program by now; where the kernel shows command lines, it is looked at. */
function isSupervisor(pid: number): boolean {
  process.kill(pid, 0)
  if (process.platform !== 'linux') return true
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('services/dev/main.ts')
}
