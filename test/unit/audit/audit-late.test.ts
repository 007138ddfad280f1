import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AuditEvent, AuditLog, AuditUnavailableError, verifyAudit } from '#lib/audit'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { fileHandlePrototype } from '../../support/file-handles.ts'
import { TurnedClock } from '../../support/turned-clock.ts'

const EVENT: AuditEvent = { action: 'read', outcome: 'allowed', secret: 'api-key', generation: 3 }
afterEach(() => void vi.restoreAllMocks())

const END: AuditEvent = { action: 'revoke', outcome: 'allowed' }

/** A log on a disk that is full until `free` is called, and what it holds. */
async function onFullDisk() {
  const folder = await mkdtemp(join(tmpdir(), 'tb-audit-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'audit.jsonl')
  const time = new TurnedClock(1000)
  const log = await AuditLog.open({ file, clock: time })
  const disk = await fileHandlePrototype(file)
  const full = vi.spyOn(disk, 'datasync').mockRejectedValue(new Error('ENOSPC'))
  return {
    file,
    time,
    log,
    free: () => full.mockRestore(),
    written: async () =>
      (await readFile(file, 'utf8'))
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as object),
  }
}

describe('I8: what has happened while the disk was full is recorded late', () => {
  test('after a mark that counts it, in its order and with its own time, and before what comes then', async () => {
    const { file, time, log, free, written } = await onFullDisk()
    await log.note({ ...END, attempt: 1 })
    await time.advance(1000)
    await log.note({ ...END, attempt: 2 })
    await expect(log.record(EVENT)).rejects.toThrow(AuditUnavailableError)
    free()
    await log.record({ ...EVENT, attempt: 3 })
    expect(await written()).toMatchObject([
      { action: 'gap', late: 2, lost: 0 },
      { action: 'revoke', attempt: 1, happened: '1970-01-01T00:00:01.000Z' },
      { action: 'revoke', attempt: 2, happened: '1970-01-01T00:00:02.000Z' },
      { action: 'read', attempt: 3, time: '1970-01-01T00:00:02.000Z' },
    ])
    expect(await verifyAudit(file)).toMatchObject({ ok: true, lines: 4 })
    await log[Symbol.asyncDispose]()
    expect(time.sleeping).toBe(0)
  })

  test('also when nothing else comes, within five seconds, and once', async () => {
    const { time, log, free, written } = await onFullDisk()
    await log.note(END)
    await time.advance(5000)
    await expect.poll(() => time.sleeping).toBe(1) // it has tried, in vain
    free()
    await time.advance(5000)
    await expect.poll(written).toMatchObject([{ action: 'gap', late: 1 }, { action: 'revoke' }])
    await time.advance(60_000)
    await log[Symbol.asyncDispose]()
    expect(await written()).toHaveLength(2)
  })

  test('at the end of the process at the latest', async () => {
    const { log, free, written } = await onFullDisk()
    await log.note(END)
    free()
    await log[Symbol.asyncDispose]()
    expect(await written()).toMatchObject([{ action: 'gap', late: 1 }, { action: 'revoke' }])
  })

  test('up to ten thousand; more are counted alone, so that a full disk does not fill the memory', async () => {
    const { log, free, written } = await onFullDisk()
    await Promise.all(Array.from({ length: 10_003 }, () => log.note(END)))
    free()
    await log[Symbol.asyncDispose]()
    const lines = await written()
    expect(lines).toHaveLength(10_001)
    expect(lines[0]).toMatchObject({ action: 'gap', late: 10_000, lost: 3 })
  })
})
