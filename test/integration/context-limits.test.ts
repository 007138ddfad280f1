import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { AttemptEnd, Context } from '#lib/context'
import { agentOf, attemptOf, levels, openWorld, type World, type WorldOptions } from '../support/contexts.ts'
import { groupOf, limitOf, processesBelow } from '../support/seen-from-outside.ts'

const SOURCE = agentOf(`
  const now = () => process.cpuUsage().user + process.cpuUsage().system
  switch (input.do) {
    case 'never': return new Promise(() => {})
    case 'spin': for (;;);
    case 'burn': { while (now() < input.us); return 'burnt' }
    case 'burn-below': {
      const { spawnSync } = await import('node:child_process')
      const code = 'while (process.cpuUsage().user + process.cpuUsage().system < ' + input.us + ');'
      return spawnSync(process.execPath, ['-e', code]).status
    }
    case 'open': { const all = []; try { for (;;) all.push(fs.openSync('/dev/null', 'r')) } catch (error: any) { return [all.length, error.code] } }
    case 'fill': {
      const written = { tmp: 0, shm: 0 }
      for (const [name, folder] of [['tmp', '/tmp'], ['shm', '/dev/shm']] as const)
        try { for (;;) { fs.appendFileSync(folder + '/x', Buffer.alloc(2 ** 18, 1)); written[name] += 2 ** 18 } } catch (error: any) { if (error.code !== 'ENOSPC') throw error }
      return written
    }
    default: return 'fine'
  }
`)
/** A thread shares its process: it is bounded by its heap and its time alone. */
const walled = levels.filter((level) => level !== 'thread')
const SPIN_MS = 15_000
const isRoot = process.getuid!() === 0

/** Looks at a context from outside while an attempt is in it. */
async function look<T>(world: World, see: (context: Context) => T): Promise<T> {
  const context = await world.pool.acquire()
  const started = Promise.withResolvers<void>()
  const stop = new AbortController()
  const on = { started: () => started.resolve() }
  const running = context.run(attemptOf({ do: 'never' }), on, stop.signal)
  await started.promise
  try {
    return see(context)
  } finally {
    stop.abort()
    await running
  }
}

const open = (options: Pick<WorldOptions, 'level'> & Partial<WorldOptions>) =>
  openWorld({ source: SOURCE, ...options })

describe.each(walled)('I2 bounded: what holds before the agent is loaded, at level %s', (level) => {
  test('every process has its limits of descriptors, processes and core files, and goes first when the host has no memory', async () => {
    await using world = await open({ level })
    const seen = await look(world, ({ pid }) =>
      processesBelow(pid).map((one) => ({
        files: limitOf(one, 'Max open files'),
        processes: limitOf(one, 'Max processes'),
        core: limitOf(one, 'Max core file size'),
        oom: Number(readFileSync(`/proc/${one}/oom_score_adj`, 'utf8')),
      })),
    )
    expect(seen.length).toBeGreaterThan(0)
    const all = { files: ['256', '256'], processes: ['256', '256'], core: ['0', '0'], oom: 500 }
    expect(seen).toEqual(seen.map(() => all))
  })

  test('where the host has cgroups, processes and processor share are held by them, and the receipt says so', async () => {
    await using world = await open({ level })
    const { limits } = (await world.run({})).receipt
    await look(world, ({ pid }) => {
      const [pids, cpu] = [groupOf(pid, 'pids'), groupOf(pid, 'cpu')]
      expect(limits.processes).toEqual({
        value: 256,
        by: pids ? expect.stringMatching(/^cgroup-v/) : 'rlimit-nproc',
      })
      expect(limits.cpuWeight).toEqual(
        cpu ? { value: 102, by: expect.stringMatching(/^cgroup-v/) } : { value: 110, by: 'nice' },
      )
      if (isRoot && process.env['CI']) expect(pids && cpu).toBeTruthy()
      if (pids) expect(readFileSync(`${pids}/pids.max`, 'utf8')).toBe('256\n')
      if (cpu) expect(weightOf(cpu)).toBe(existsSync(`${cpu}/cpu.shares`) ? 102 : 10)
      for (const one of processesBelow(pid))
        expect([groupOf(one, 'pids'), groupOf(one, 'cpu')]).toEqual([pids, cpu])
    })
    expect(limits.openFiles).toEqual({ value: 256, by: 'rlimit-nofile' })
    expect(limits.heapBytes.value).toBeGreaterThan(50e6)
  })
})

describe.each(walled)('I2 bounded: processor time, at level %s', (level) => {
  test('the receipt counts it, and that of processes that the attempt started', async () => {
    await using world = await open({ level, permissions: ['child-process'], limits: { memoryBytes: 200e6 } })
    const own = await world.run({ do: 'burn', us: 400_000 })
    expect([own.outcome, own.result]).toEqual(['completed', 'burnt'])
    expect(own.receipt.cpuMs).toBeGreaterThanOrEqual(350)
    const below = await world.run({ do: 'burn-below', us: 400_000 })
    expect([below.outcome, below.result]).toEqual(['completed', 0])
    expect(below.receipt.cpuMs).toBeGreaterThanOrEqual(350)
    expect((await world.run({})).receipt.cpuMs).toBeLessThan(350)
  })

  test('contexts that spin leave an ordinary process its part, and neighbours and slots go on', async () => {
    await using world = await open({ level, spares: 4, maxContexts: 24, limits: { timeoutMs: SPIN_MS } })
    const ends = await Promise.all(Array.from({ length: 8 }, () => spinning(world)))
    const share = await ordinaryShare(world.launcher.pid)
    const neighbours = await Promise.all(Array.from({ length: 8 }, () => world.run({})))
    expect(neighbours.map(({ outcome }) => outcome)).toEqual(neighbours.map(() => 'completed'))
    const begin = Date.now()
    const ended = await Promise.all(ends.map(({ end }) => end))
    expect(ended.map(({ outcome }) => outcome)).toEqual(ended.map(() => 'timed-out'))
    // Within the timeout and a second, five times over for a busy machine.
    expect(Date.now() - begin).toBeLessThan(SPIN_MS + 5000)
    if (share !== undefined) expect(share).toBeGreaterThan(0.2)
  })
})

/** Starts an attempt that spins; resolves when it does. */
async function spinning(world: World): Promise<{ end: Promise<AttemptEnd> }> {
  const started = Promise.withResolvers<void>()
  const end = world.run({ do: 'spin' }, { started: () => started.resolve() })
  await started.promise
  return { end }
}

/**
 * How much processor time this process gets for one of all spinning contexts together: about 0.33 on two processors,
 * 0.12 where each weighs as much as this process. Undefined where more processors than that leave no one waiting.
 */
async function ordinaryShare(launcherPid: number): Promise<number | undefined> {
  const { availableParallelism } = await import('node:os')
  if (availableParallelism() > 4) return undefined
  const contexts = () =>
    processesBelow(launcherPid)
      .slice(1)
      .reduce((sum, pid) => sum + ticksOf(pid), 0)
  await delay(100)
  const [before, own] = [contexts(), process.cpuUsage()]
  const until = performance.now() + 1500
  while (performance.now() < until);
  const { user, system } = process.cpuUsage(own)
  return (user + system) / 1e4 / Math.max(1, contexts() - before)
}

/** The weight of a group: cpu.shares, or cpu.weight in version 2. */
function weightOf(group: string): number {
  const shares = `${group}/cpu.shares`
  return Number(readFileSync(existsSync(shares) ? shares : `${group}/cpu.weight`, 'utf8'))
}

function ticksOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(fields[11]) + Number(fields[12])
  } catch {
    return 0
  }
}

describe.runIf(levels.includes('namespace'))('I2 bounded, at level namespace alone', () => {
  test('descriptors run out below the limit', async () => {
    await using world = await open({ level: 'namespace' })
    const [opened, code] = (await world.run({ do: 'open' })).result as [number, string]
    expect(code).toBe('EMFILE')
    expect(opened).toBeGreaterThan(200)
    expect(opened).toBeLessThan(256)
  })

  test('each temporary folder takes 8 MiB, which count as memory', async () => {
    await using world = await open({ level: 'namespace' })
    const { result, receipt } = await world.run({ do: 'fill' })
    expect(result).toEqual({ tmp: 2 ** 23, shm: 2 ** 23 })
    expect(receipt.limits.diskBytes).toEqual({ value: 2 ** 24, by: 'tmpfs' })
    if (receipt.limits.memoryBytes.by !== 'rlimit-data')
      expect(receipt.peakBytes).toBeGreaterThanOrEqual(2 ** 24)
    const small = await open({ level: 'namespace', limits: { memoryBytes: 10e6 } })
    try {
      if (receipt.limits.memoryBytes.by !== 'rlimit-data')
        expect((await small.run({ do: 'fill' })).outcome).toBe('out-of-memory')
    } finally {
      await small[Symbol.asyncDispose]()
    }
  })
})
