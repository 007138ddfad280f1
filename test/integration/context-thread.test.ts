import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { AttemptEnd } from '#lib/context'
import { agentOf, openWorld, type World } from '../support/contexts.ts'
import { isAlive } from '../support/residue.ts'

const HOSTILE = agentOf(`
  switch (input.do) {
    case 'wait': return new Promise(() => {})
    case 'strings': return 'x'.repeat(1.2e8).split('').length
    case 'kill': process.kill(process.pid, 'SIGKILL'); return new Promise(() => {})
    case 'native': return (await import('node:crypto')).pbkdf2Sync('a', 'b', 1e9, 64, 'sha512').length
    case 'buffers': { const all = []; for (;;) { all.push(Buffer.alloc(1e6, 1)); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5) } }
    case 'shared': { const all = []; for (;;) all.push(new Uint8Array(new SharedArrayBuffer(4e6)).fill(1)) }
    case 'wasm': { const all = []; for (;;) all.push(new Uint8Array(new WebAssembly.Memory({ initial: 64 }).buffer).fill(1)) }
    case 'stdout': for (let line = 0; line < 50; line++) console.log('line ' + line); process.exit(3)
    default: return 'fine'
  }
`)

/** An attempt that waits, once it does: a spare that is taken may be of a host that has just ended. */
async function waiting(world: World, signal?: AbortSignal): Promise<{ end: Promise<AttemptEnd> }> {
  const started = Promise.withResolvers<true>()
  const end = world.run({ do: 'wait' }, { started: () => started.resolve(true) }, signal)
  const runs = await Promise.race([started.promise, end.then(() => false)])
  return runs ? { end } : waiting(world, signal)
}

/** Runs what takes a host down beside an attempt that does nothing wrong. */
async function beside(world: World, what: string): Promise<[bad: AttemptEnd, good: AttemptEnd]> {
  const good = await waiting(world)
  return Promise.all([world.run({ do: what }), good.end])
}

const completes = async (world: World) => (await world.run({})).outcome
const SLOW = { timeoutMs: 30_000 }

describe('I2 at level thread: an attempt that takes its host down', () => {
  test('is charged where V8 says which thread it was; its neighbours are interrupted, and the next ones run', async () => {
    await using world = await openWorld({ level: 'thread', source: HOSTILE, limits: SLOW, spares: 3 })
    const [bad, good] = await beside(world, 'strings')
    expect([bad.outcome, bad.receipt.endedBy]).toEqual(['out-of-memory', 'out-of-memory'])
    expect([good.outcome, good.receipt.endedBy]).toEqual(['interrupted', 'host-lost'])
    expect(good.receipt.pid).toBe(bad.receipt.pid)
    await expect.poll(() => completes(world), { timeout: 20_000 }).toBe('completed')
  })

  test('is charged where it alone ran', async () => {
    await using world = await openWorld({ level: 'thread', source: HOSTILE, limits: SLOW, spares: 2 })
    const { outcome, error, receipt } = await world.run({ do: 'kill' })
    expect([outcome, error?.type, receipt.signal]).toEqual(['failed', 'crashed', 'SIGKILL'])
  })

  test('is not charged where it cannot be known from its neighbour; alone it is', async () => {
    await using world = await openWorld({ level: 'thread', source: HOSTILE, limits: SLOW, spares: 2 })
    const both = await beside(world, 'kill')
    expect(both.map((end) => [end.outcome, end.receipt.endedBy])).toEqual([
      ['interrupted', 'host-lost'],
      ['interrupted', 'host-lost'],
    ])
    const stop = new AbortController()
    const neighbour = await waiting(world, stop.signal)
    const alone = await world.runAlone({ do: 'kill' })
    expect([alone.outcome, alone.error?.type]).toEqual(['failed', 'crashed'])
    stop.abort()
    const { outcome, receipt } = await neighbour.end
    expect([outcome, receipt.endedBy, receipt.signal]).toEqual(['cancelled', 'aborted', null])
    expect(receipt.pid).not.toBe(alone.receipt.pid)
  })

  test('as often as it likes is answered by a new host each time', async () => {
    await using world = await openWorld({ level: 'thread', source: HOSTILE, limits: SLOW })
    const hosts = new Set<number>()
    for (let kills = 0; kills < 4; kills++) {
      const end = await world.run({ do: 'kill' })
      hosts.add(end.receipt.pid)
      expect(['failed', 'interrupted']).toContain(end.outcome)
    }
    expect(hosts.size).toBeGreaterThan(1)
    await expect.poll(() => completes(world), { timeout: 20_000 }).toBe('completed')
  })
})

describe('I2 at level thread: what V8 does not bound', () => {
  test('code that cannot be interrupted ends at its timeout, with its host', async () => {
    await using world = await openWorld({
      level: 'thread',
      source: HOSTILE,
      limits: { timeoutMs: 300 },
      spares: 2,
    })
    let begin = Date.now()
    const { outcome, receipt } = await world.run({ do: 'native' }, { started: () => (begin = Date.now()) })
    expect([outcome, receipt.endedBy]).toEqual(['timed-out', 'timeout'])
    expect(Date.now() - begin).toBeLessThan(5 * 1300)
    await expect.poll(() => isAlive(receipt.pid)).toBe(false)
    await expect.poll(() => completes(world), { timeout: 20_000 }).toBe('completed')
  })

  test('buffers past its limit end it alone', async () => {
    await using world = await openWorld({ level: 'thread', source: HOSTILE, limits: SLOW, spares: 2 })
    const stop = new AbortController()
    const neighbour = await waiting(world, stop.signal)
    const { outcome, receipt } = await world.run({ do: 'buffers' })
    expect([outcome, receipt.endedBy, receipt.signal]).toEqual(['out-of-memory', 'out-of-memory', null])
    expect(receipt.peakBytes).toBeGreaterThan(40e6)
    stop.abort()
    expect((await neighbour.end).receipt).toMatchObject({ pid: receipt.pid, endedBy: 'aborted' })
  })

  test.each(['shared', 'wasm'])('memory that V8 does not tell ends it, with its host: %s', async (what) => {
    await using world = await openWorld({ level: 'thread', source: HOSTILE, limits: SLOW })
    const { outcome, receipt } = await world.run({ do: what })
    expect(outcome).toBe('out-of-memory')
    // Without a cgroup an allocation fails instead.
    if (process.getuid!() === 0) await expect.poll(() => isAlive(receipt.pid)).toBe(false)
    await expect.poll(() => completes(world), { timeout: 20_000 }).toBe('completed')
  })

  test('what it printed before it ended is not lost', async () => {
    await using world = await openWorld({ level: 'thread', source: HOSTILE })
    let text = ''
    const { error } = await world.run({ do: 'stdout' }, { output: (_, more) => void (text += more) })
    expect(error?.type).toBe('exited')
    expect(text.trim().split('\n')).toEqual(Array.from({ length: 50 }, (_, line) => `line ${line}`))
  })
})

const PLANTS = agentOf(`
  const threads = process.getBuiltinModule('node:worker_threads') as any
  const before = [process.title, process.env['PLANTED'], typeof (globalThis as any).BroadcastChannel, typeof threads.BroadcastChannel,
    typeof threads.locks, typeof (navigator as any).locks, typeof threads.postMessageToThread, typeof threads.workerData, typeof process.report]
  process.title = 'planted'
  process.env['PLANTED'] = '1'
  const tried = (fn: () => void) => { try { fn(); return 'done' } catch (error: any) { return error.code } }
  return { before, tried: {
    flags: tried(() => process.getBuiltinModule('node:v8').setFlagsFromString('--stack-size=100')),
    directory: tried(() => process.chdir('/tmp')),
    umask: tried(() => process.umask(0)),
    user: tried(() => process.setuid!(1)),
    thread: tried(() => new threads.Worker('1', { eval: true })),
  } }
`)

describe('I1 at level thread: what the threads of a process share', () => {
  test('by name or by a setting is taken away, private or refused', async () => {
    await using world = await openWorld({ level: 'thread', source: PLANTS, spares: 2 })
    const first = (await world.run({})).result as { before: unknown[]; tried: object }
    const second = (await world.run({})).result
    expect(second).toEqual(first)
    expect(first.before.slice(1).map((one) => one ?? 'undefined')).toEqual(Array(8).fill('undefined'))
    expect(first.tried).toEqual({
      flags: 'ERR_ACCESS_DENIED',
      directory: 'ERR_WORKER_UNSUPPORTED_OPERATION',
      umask: 'ERR_WORKER_UNSUPPORTED_OPERATION',
      user: 'ERR_WORKER_UNSUPPORTED_OPERATION',
      thread: 'ERR_ACCESS_DENIED',
    })
  })

  test('a context leaves no descriptor in the host', async () => {
    await using world = await openWorld({ level: 'thread', source: HOSTILE })
    const settled = () => expect.poll(() => world.pool.stats()).toEqual({ spares: 1, starting: 0, active: 0 })
    const { receipt } = await world.run({})
    await settled()
    const descriptors = () => readdirSync(`/proc/${receipt.pid}/fd`).length
    const before = descriptors()
    for (let at = 0; at < 10; at++) expect((await world.run({})).receipt.pid).toBe(receipt.pid)
    await settled()
    await expect.poll(descriptors).toBeLessThanOrEqual(before)
  })
})

describe('who a thread host is', () => {
  test('one process below the launcher, with no environment, no privilege to gain and no core', async () => {
    await using world = await openWorld({ level: 'thread', source: HOSTILE, spares: 3 })
    const { receipt } = await world.run({})
    const { pid } = world.launcher
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    expect(children).toEqual([String(receipt.pid)])
    expect(readFileSync(`/proc/${receipt.pid}/environ`, 'utf8')).toBe('')
    const status = readFileSync(`/proc/${receipt.pid}/status`, 'utf8')
    expect(status).toMatch(/^NoNewPrivs:\t1$/m)
    if (process.getuid!() === 0) expect(status).toMatch(/^CapEff:\t0+\n^CapBnd:\t0+$/m)
    expect(readFileSync(`/proc/${receipt.pid}/limits`, 'utf8')).toMatch(/^Max core file size\s+0\s+0/m)
  })

  test.runIf(process.getuid!() === 0)(
    'where root, it becomes the worker’s uid with no group of root’s',
    async () => {
      const umask = process.umask()
      try {
        await using world = await openWorld({ level: 'thread', source: HOSTILE, hostUid: 61_235 })
        const { outcome, receipt } = await world.run({})
        expect([outcome, receipt.uid]).toEqual(['completed', 61_235])
        const running = readFileSync(`/proc/${receipt.pid}/status`, 'utf8')
        expect(running).toContain('Uid:\t61235\t61235\t61235\t61235\nGid:\t61235\t61235\t61235\t61235')
        expect(running).toMatch(/^Groups:\s*$/m)
      } finally {
        process.umask(umask)
      }
    },
  )
})
