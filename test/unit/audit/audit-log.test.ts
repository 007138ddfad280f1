import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  AuditAnchor,
  type AuditEvent,
  type AuditHead,
  AuditLog,
  AuditUnavailableError,
  verifyAudit,
} from '#lib/audit'
import { silentLog } from '#lib/runtime'
import { SecretValue } from '#lib/secrets'
import { fileHandlePrototype } from '../../support/file-handles.ts'
import { TurnedClock } from '../../support/turned-clock.ts'

const EVENT: AuditEvent = { action: 'read', outcome: 'allowed', secret: 'api-key', generation: 3 }
const clock = { now: () => 0, sleep: async () => {} }
const folders: string[] = []

async function setup(events = 3) {
  const folder = await mkdtemp(path.join(tmpdir(), 'tb-audit-'))
  folders.push(folder)
  const file = path.join(folder, 'audit.jsonl')
  await using log = await AuditLog.open({ file, clock })
  await Promise.all(Array.from({ length: events }, (_, n) => log.record({ ...EVENT, attempt: n + 1 })))
  return { file, lines: (await readFile(file, 'utf8')).split('\n').slice(0, -1) }
}
afterEach(async () => {
  vi.restoreAllMocks()
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

describe('I8 on record: the audit log', () => {
  test('every recorded event is a line that follows the one before it, readable by its owner alone', async () => {
    const { file, lines } = await setup()
    expect(JSON.parse(lines[1]!)).toMatchObject({
      ...EVENT,
      attempt: 2,
      seq: 2,
      time: '1970-01-01T00:00:00.000Z',
    })
    expect(await verifyAudit(file)).toMatchObject({ ok: true, lines: 3 })
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  test('a changed, removed, added or swapped line is found', async () => {
    const changes: [string, (lines: string[]) => string[], number][] = [
      ['changed', (lines) => lines.with(1, lines[1]!.replace('"attempt":2', '"attempt":9')), 3],
      ['changed last', (lines) => lines.with(2, lines[2]!.replace('"seq":3', '"seq":4')), 3],
      ['removed', (lines) => lines.toSpliced(0, 1), 1],
      ['added', (lines) => lines.toSpliced(1, 0, lines[1]!), 3],
      ['swapped', (lines) => [lines[1]!, lines[0]!, lines[2]!], 1],
      ['no JSON', (lines) => lines.with(1, 'x'), 2],
    ]
    for (const [what, change, line] of changes) {
      const { file, lines } = await setup()
      await writeFile(file, `${change(lines).join('\n')}\n`)
      expect(await verifyAudit(file), what).toMatchObject({ ok: false, broken: { line } })
    }
  })

  test('reopened it goes on with the chain, also after a torn last line', async () => {
    const { file } = await setup()
    await appendFile(file, '{"action":"read","outc')
    {
      await using log = await AuditLog.open({ file })
      await log.record(EVENT)
    }
    expect(await verifyAudit(file)).toMatchObject({ ok: true, lines: 4 })
  })

  test('a file that is no audit log is not written to', async () => {
    const { file } = await setup(0)
    await writeFile(file, 'something else\n')
    await expect(AuditLog.open({ file })).rejects.toThrow(AuditUnavailableError)
    expect(await readFile(file, 'utf8')).toBe('something else\n')
  })

  test('what cannot be written rejects, leaves nothing behind, and later events go on', async () => {
    const { file } = await setup()
    await using log = await AuditLog.open({ file })
    const full = vi.spyOn(await fileHandlePrototype(file), 'datasync').mockRejectedValue(new Error('ENOSPC'))
    await expect(log.record(EVENT)).rejects.toThrow(AuditUnavailableError)
    full.mockRestore()
    await log.record(EVENT)
    expect(await verifyAudit(file)).toMatchObject({ ok: true, lines: 4 })
  })

  test('an event can hold no object, so no secret, and cannot forge its place in the chain', async () => {
    const { file } = await setup(0)
    await using log = await AuditLog.open({ file })
    const forged = { ...EVENT, seq: 99, prev: 'x', time: 'never' }
    await log.record(forged)
    const smuggled = { ...EVENT, value: new SecretValue('k', 'canary') } as unknown as AuditEvent
    await expect(log.record(smuggled)).rejects.toThrow('field "value"')
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ seq: 1, prev: '0'.repeat(64) })
    expect(await verifyAudit(file)).toMatchObject({ ok: true, lines: 1 })
  })

  test('no text breaks a line or fills the disk, and the log stays one that can be reopened', async () => {
    const { file } = await setup(0)
    {
      await using log = await AuditLog.open({ file })
      await log.record({ ...EVENT, caller: 'a\nb\rc\u2028d\u2029e\ud800"}\u0000' })
      await log.record({ ...EVENT, caller: 'x'.repeat(2 ** 21) })
    }
    await using log = await AuditLog.open({ file })
    await log.record(EVENT)
    expect(await verifyAudit(file)).toMatchObject({ ok: true, lines: 3 })
    expect((await stat(file)).size).toBeLessThan(5000)
  })

  test('while not even the torn line can be removed, nothing is written after it', async () => {
    const { file } = await setup()
    await using log = await AuditLog.open({ file })
    const shared = await fileHandlePrototype(file)
    const broken = [vi.spyOn(shared, 'datasync'), vi.spyOn(shared, 'truncate')]
    for (const method of broken) method.mockRejectedValue(new Error('EIO'))
    await expect(log.record(EVENT)).rejects.toThrow(AuditUnavailableError)
    broken[0]!.mockRestore()
    await expect(log.record(EVENT)).rejects.toThrow(AuditUnavailableError)
    broken[1]!.mockRestore()
    await log.record(EVENT)
    expect(await verifyAudit(file)).toMatchObject({ ok: true, lines: 4 })
  })

  test('a cut tail shows against a head kept elsewhere, not by itself', async () => {
    const { file, lines } = await setup()
    const before = await verifyAudit(file)
    await truncate(file, Buffer.byteLength(`${lines[0]}\n${lines[1]}\n`))
    const after = await verifyAudit(file)
    expect(after).toMatchObject({ ok: true, lines: 2 })
    expect(after.head).not.toBe(before.head)
    const noted = [{ place: 'vault', seq: before.lines, hash: before.head }]
    expect(await verifyAudit(file, noted)).toEqual({
      ...after,
      ok: false,
      broken: { line: 3, why: 'it is missing: vault has noted 3 lines' },
    })
    const further = [...noted, { place: 'redis', seq: 9, hash: before.head }]
    const { broken } = await verifyAudit(file, further)
    expect(broken?.why).toBe('it is missing: vault has noted 3 lines, redis has noted 9 lines')
  })

  test('a log that was written anew, well chained, shows against a head kept elsewhere', async () => {
    const { file } = await setup(3)
    const { head: hash } = await verifyAudit(file)
    await rm(file)
    await using anew = await AuditLog.open({ file, clock })
    for (const _ of Array(4)) await anew.record({ ...EVENT, secret: 'other' })
    expect(await verifyAudit(file)).toMatchObject({ ok: true, lines: 4 })
    expect(await verifyAudit(file, [{ place: 'redis', seq: 3, hash }])).toMatchObject({
      ok: false,
      broken: { line: 3, why: 'it is not the line that redis has noted' },
    })
  })
})

/** An anchor in two places, of which one can be made to fail. */
function anchored() {
  const time = new TurnedClock()
  const audit = { head: { seq: 1, hash: 'a' }, settled: async () => {} }
  const noted: string[] = []
  let down = false
  const places = {
    redis: async ({ seq }: AuditHead) => void noted.push(`redis ${seq}`),
    vault: async ({ seq }: AuditHead) => {
      if (down) throw new Error('sealed')
      noted.push(`vault ${seq}`)
    },
  }
  const fail = (now: boolean) => (down = now)
  return {
    time,
    audit,
    noted,
    fail,
    anchor: AuditAnchor.open({ audit, places, clock: time, log: silentLog }),
  }
}

describe('I8: the head of the log is noted where the log does not lie', () => {
  test('at the start, and every five seconds in which it grew', async () => {
    const { time, audit, noted, anchor } = anchored()
    await time.advance(20_000)
    expect(noted).toEqual(['redis 1', 'vault 1'])
    audit.head = { seq: 4, hash: 'd' }
    await time.advance(5000)
    expect(noted.slice(2)).toEqual(['redis 4', 'vault 4'])
    await anchor[Symbol.asyncDispose]()
  })

  test('a place that does not answer is tried again, and the last head is noted at the end', async () => {
    const { time, audit, noted, fail, anchor } = anchored()
    fail(true)
    audit.head = { seq: 2, hash: 'b' }
    await time.advance(10_000)
    expect(noted).toEqual(['redis 1', 'vault 1', 'redis 2'])
    fail(false)
    await time.advance(5000)
    expect(noted.at(-1)).toBe('vault 2')
    audit.head = { seq: 3, hash: 'c' }
    await anchor[Symbol.asyncDispose]()
    expect(noted.slice(-2).toSorted()).toEqual(['redis 3', 'vault 3'])
    expect(time.sleeping).toBe(0)
  })
})
