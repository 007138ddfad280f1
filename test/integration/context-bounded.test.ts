import { describe, expect, test } from 'vitest'
import { agentOf, CHANNEL, levels, openWorld } from '../support/contexts.ts'
import { aliveAfter, isAlive } from '../support/residue.ts'
import { frames } from '../support/hostile-frames.ts'
import { until } from '../support/tiny-service.ts'

const HOSTILE = agentOf(`
  const never = new Promise(() => {})
  switch (input.do) {
    case 'never': return never
    case 'busy': for (;;);
    case 'obey': return new Promise((_, no) => ctx.signal.addEventListener('abort', () => no(ctx.signal.reason)))
    case 'buffers': { const all = []; for (;;) all.push(Buffer.alloc(4e6, 1)) }
    case 'heap': { const all: any[] = []; for (;;) all.push({ a: [1, 2, 3], b: 'x' + all.length }) }
    case 'exit': process.exit(0)
    case 'abort': process.abort()
    case 'throw': throw new TypeError('no such thing')
    case 'late-throw': setTimeout(() => { throw new Error('late') }, 5); return never
    case 'flood': for (;;) console.log('x'.repeat(1000))
    case 'frame': { const bytes = Buffer.from(input.frame, 'base64'); fs.writeSync(${CHANNEL}, bytes); return never }
    case 'emit': { for (let i = 0; i < 200; i++) ctx.emit('x'.repeat(1000)); return 'fine' }
    case 'progress': { for (let i = 0; i < 200; i++) ctx.progress('x'.repeat(1000)); return 'fine' }
    case 'log': { for (let i = 0; i < 200; i++) ctx.log.info({}, 'x'.repeat(1000)); return 'fine' }
    case 'spans': { for (let i = 0; i < input.spans; i++) await ctx.span('s' + i, () => 1); return 'fine' }
    case 'mixed': {
      if (input.console) await new Promise((done) => process.stdout.write('x'.repeat(input.console), done))
      if (input.log) ctx.log.info({}, 'x'.repeat(input.log))
      if (input.progress) ctx.progress('x'.repeat(input.progress))
      if (input.emit) ctx.emit('x'.repeat(input.emit))
      for (let i = 0; i < input.spans; i++) await ctx.span('x'.repeat(100), () => 1)
      // The console comes by another way: the result must not overtake it.
      if (input.console) await ctx.call('printed', input.console)
      return 'x'.repeat(input.result)
    }
    case 'type': throw Object.assign(new Error('no'), { type: input.type })
    case 'calls': {
      let done = 0
      try { for (;;) { await ctx.call('other', done); done++ } } catch (error: any) { return [done, error.type] }
    }
    case 'deaf': {
      const body = (id: number) => JSON.stringify({ t: 'call', id, agentType: 'other', input: 1 })
      for (let id = 0; id < 40; id++) {
        const frame = Buffer.alloc(4 + body(id).length)
        frame.writeUInt32BE(body(id).length)
        frame.write(body(id), 4)
        fs.writeSync(${CHANNEL}, frame)
      }
      for (;;);
    }
    case 'bigint': return 1n
    case 'large': return 'x'.repeat(2 ** 21)
    case 'circular': { const a: any = {}; a.a = a; return a }
    case 'spawn': {
      const { spawn } = await import('node:child_process')
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' })
      await new Promise((yes, no) => child.once('spawn', yes).once('error', no))
      child.unref()
      return child.pid
    }
    default: return 'fine'
  }
`)

/** The kernel lists the processes of a cgroup, which only root may make here. */
const keepsLists = process.getuid!() === 0

/** Of 100,000 bytes. No kind alone passes the limit. */
const MIXED = {
  fits: { console: 20_000, progress: 20_000, emit: 20_000, result: 20_000 },
  'console and result': { console: 60_000, result: 60_000 },
  'emitted and result': { emit: 60_000, result: 60_000 },
  'progress and emitted': { progress: 60_000, emit: 60_000 },
  'spans and result': { spans: 300, result: 60_000 },
  'console and emitted': { console: 60_000, emit: 60_000 },
}

describe.each(levels)('I2 bounded, at level %s', (level) => {
  test('an attempt that never returns or never yields ends at its timeout', async () => {
    await using world = await openWorld({ level, source: HOSTILE, spares: 2, limits: { timeoutMs: 300 } })
    for (const what of ['never', 'busy', 'obey']) {
      let begin = Date.now()
      const { outcome, receipt } = await world.run({ do: what }, { started: () => (begin = Date.now()) })
      expect([what, outcome, receipt.endedBy]).toEqual([what, 'timed-out', 'timeout'])
      // Within the timeout and a second, five times over for a busy machine.
      expect(Date.now() - begin).toBeLessThan(5 * 1300)
    }
  })

  test('memory of any kind past the limit ends as out-of-memory', async () => {
    await using world = await openWorld({ level, source: HOSTILE, spares: 2 })
    for (const what of ['buffers', 'heap']) {
      const { outcome, receipt } = await world.run({ do: what })
      expect([what, outcome]).toEqual([what, 'out-of-memory'])
      // In a thread V8 holds the heap and a watch the buffers, which grow on between two looks.
      if (level !== 'thread') expect(receipt.peakBytes).toBeLessThanOrEqual(51e6)
      else expect(receipt.limits.memoryBytes.by).toBe('heap-limit')
    }
    expect(await world.run({})).toMatchObject({ outcome: 'completed', result: 'fine' })
  })

  test('a process that ends itself or crashes is a failure of its own type', async () => {
    await using world = await openWorld({ level, source: HOSTILE, spares: 2 })
    const end = async (what: string) => {
      const { outcome, error } = await world.run({ do: what })
      return [outcome, error?.type]
    }
    expect(await end('exit')).toEqual(['failed', 'exited'])
    // A thread is refused this.
    expect(await end('abort')).toEqual(['failed', level === 'thread' ? 'TypeError' : 'crashed'])
    expect(await end('throw')).toEqual(['failed', 'TypeError'])
    expect(await end('late-throw')).toEqual(['failed', 'Error'])
    expect(await end('flood')).toEqual(['failed', 'output-limit'])
    expect(await end('large')).toEqual(['failed', 'result-too-large'])
    expect(await end('bigint')).toEqual(['failed', 'invalid-output'])
    expect(await end('circular')).toEqual(['failed', 'invalid-output'])
  })

  test('what an attempt logs, reports or emits is limited, and no more of it is handed on', async () => {
    await using world = await openWorld({ level, source: HOSTILE, spares: 2 })
    for (const what of ['emit', 'progress', 'log']) {
      let bytes = 0
      const count = (value: unknown) => void (bytes += JSON.stringify(value).length)
      const end = await world.run({ do: what }, { emit: count, progress: count, log: count })
      expect([what, end.outcome, end.error?.type], JSON.stringify(end)).toEqual([
        what,
        'failed',
        'output-limit',
      ])
      expect(bytes).toBeLessThanOrEqual(100_000)
    }
  })

  test('of a flood of spans the first thousand are handed on, and the attempt goes on', async () => {
    await using world = await openWorld({ level, source: HOSTILE, limits: { outputBytes: 2 ** 20 } })
    let spans = 0
    const end = await world.run({ do: 'spans', spans: 1500 }, { span: () => void spans++ })
    expect([end.outcome, end.result, spans]).toEqual(['completed', 'fine', 1000])
  })

  test('console, log lines, progress, emitted values, spans and result are counted as one', async () => {
    await using world = await openWorld({ level, source: HOSTILE, spares: 2 })
    for (const [what, sizes] of Object.entries(MIXED)) {
      const all = { console: 0, log: 0, progress: 0, emit: 0, spans: 0, result: 0, ...sizes }
      let [printed, isOver] = [0, false]
      const output = (_: string, text: string) => void (printed += text.length)
      const call = (_: string, bytes: unknown) =>
        until('it is printed', () => isOver || printed >= (bytes as number))
      const end = await world.run({ do: 'mixed', ...all }, { output, call })
      isOver = true
      expect([what, end.outcome, end.error?.type], JSON.stringify(end)).toEqual([
        what,
        ...(what === 'fits' ? ['completed', undefined] : ['failed', 'output-limit']),
      ])
    }
  })

  test('the type of an error is one word, whatever the agent made of it', async () => {
    await using world = await openWorld({ level, source: HOSTILE, spares: 2 })
    const end = await world.run({ do: 'type', type: 'completed: yes\n\u001b[2J{"a":1}' })
    expect([end.outcome, end.error?.type]).toEqual(['failed', 'completed:-yes-2J-a-:1-'])
    expect((await world.run({ do: 'type', type: '' })).error?.type).toBe('Error')
  })

  test('calls to other agents are counted, and their replies do not pile up unread', async () => {
    await using world = await openWorld({ level, source: HOSTILE, spares: 2 })
    const counted = await world.run({ do: 'calls' }, { call: async () => 1 })
    expect(counted.result).toEqual([1000, 'attempt-limit'])
    const deaf = await world.run({ do: 'deaf' }, { call: async () => 'x'.repeat(1e6) })
    expect([deaf.outcome, deaf.error?.type]).toEqual(['failed', 'protocol-violation'])
  })

  test('a stack names the line of the TypeScript file', async () => {
    await using world = await openWorld({ level, source: HOSTILE })
    const { error } = await world.run({ do: 'throw' })
    expect(error?.stack).toMatch(/agent\.ts:15:/)
  })

  test('garbage on the channel ends that attempt alone', async () => {
    await using world = await openWorld({ level, source: HOSTILE, spares: 3, limits: { timeoutMs: 5000 } })
    for (const [name, frame] of Object.entries(frames)) {
      const [bad, good] = await Promise.all([
        world.run({ do: 'frame', frame: frame.bytes.toString('base64') }),
        world.run({}),
      ])
      expect([name, bad.outcome, bad.error?.type]).toEqual([name, ...frame.end])
      expect([name, good.outcome]).toEqual([name, 'completed'])
    }
  })

  test('what an attempt started in a session of its own is gone with it, or at level thread with its host', async () => {
    await using world = await openWorld({ level, source: HOSTILE, permissions: ['child-process'] })
    const { outcome, result, receipt, error } = await world.run({ do: 'spawn' })
    expect([outcome, error]).toEqual(['completed', undefined])
    if (level === 'thread') {
      expect(receipt.leftOver.processes).toBeNull()
      await world[Symbol.asyncDispose]()
      if (keepsLists) expect(isAlive(result as number)).toBe(false)
    } else {
      expect(receipt.leftOver.processes).toBe(0)
      if (process.getuid!() === 0) expect(aliveAfter(receipt)).toEqual([])
    }
  })

  test('without the permission no process can be started', async () => {
    await using world = await openWorld({ level, source: HOSTILE })
    const { outcome, error } = await world.run({ do: 'spawn' })
    expect([outcome, error?.message]).toEqual(['failed', expect.stringContaining('restricted')])
  })

  test('an abort ends the attempt as cancelled or interrupted within its grace', async () => {
    await using world = await openWorld({ level, source: HOSTILE, spares: 2 })
    const cancelled = await world.run({ do: 'busy' }, {}, AbortSignal.timeout(50))
    expect([cancelled.outcome, cancelled.receipt.endedBy]).toEqual(['cancelled', 'aborted'])
    const interrupted = await world.run({ do: 'never' }, {}, AbortSignal.abort('interrupted'))
    expect([interrupted.outcome, interrupted.receipt.endedBy]).toEqual(['interrupted', 'aborted'])
  })

  test('a launcher that is killed interrupts its attempts and leaves no process', async () => {
    await using world = await openWorld({ level, source: HOSTILE })
    const running = world.run({ do: 'never' }, { started: () => process.kill(world.launcher.pid, 'SIGKILL') })
    const { outcome, receipt } = await running
    expect(outcome).toBe('interrupted')
    if (process.getuid!() === 0 || level === 'thread')
      await expect.poll(() => aliveAfter(receipt)).toEqual([])
  })
})
