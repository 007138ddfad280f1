import { describe, expect, test } from 'vitest'
import { agentOf, levels, openWorld, walled } from '../support/contexts.ts'

const LOOK = agentOf(`
  const tried = (fn: () => unknown) => { try { return fn() } catch (e: any) { return 'refused: ' + (e.code ?? e.message) } }
  const net = await import('node:net')
  const dgram = await import('node:dgram')
  const connect = (options: any) => new Promise((done) => {
    try {
      const s = net.connect(options)
      s.once('connect', () => done('connected')).once('error', (e: any) => done('refused: ' + e.code))
    } catch (e: any) { done('refused: ' + e.code) }
  })
  return {
    environment: Object.keys(process.env),
    processEnvironment: tried(() => fs.readFileSync('/proc/self/environ', 'utf8')),
    descriptors: tried(() => fs.readdirSync('/proc/self/fd').map((fd) => [Number(fd), tried(() => fs.readlinkSync('/proc/self/fd/' + fd))])),
    root: tried(() => fs.readdirSync('/').sort()),
    hosts: tried(() => fs.readFileSync('/etc/hosts', 'utf8')),
    writeRoot: tried(() => fs.writeFileSync('/mine', 'x')),
    writeDev: tried(() => fs.writeFileSync('/dev/mine', 'x')),
    processes: tried(() => fs.readdirSync('/proc').filter((name: string) => /^[0-9]+$/.test(name)).length),
    status: tried(() => fs.readFileSync('/proc/self/status', 'utf8')),
    uidMap: tried(() => fs.readFileSync('/proc/self/uid_map', 'utf8')),
    uid: [process.getuid!(), process.getgid!(), process.getgroups!()],
    limits: tried(() => fs.readFileSync('/proc/self/limits', 'utf8')),
    tcp: await connect({ host: '127.0.0.1', port: 22 }),
    tcp6: await connect({ host: '::1', port: 22 }),
    unix: await connect({ path: '/run/x.sock' }),
    abstract: await connect({ path: '\\0x' }),
    udp: await new Promise((done) => {
      try { dgram.createSocket('udp4').once('error', (e: any) => done('refused: ' + e.code)).bind(0, () => done('bound')) } catch (e: any) { done('refused: ' + e.code) }
    }),
    kill: tried(() => process.kill(1, 0)),
  }
`)

interface Seen {
  [what: string]: any
}

describe.each(walled)('I4 sealed, at level %s', (level) => {
  test('environment, descriptors and network are empty', async () => {
    await using world = await openWorld({ level, source: LOOK })
    const { result, receipt, error } = await world.run({})
    expect(error).toBeUndefined()
    const seen = result as Seen
    expect(seen['environment']).toEqual([])
    for (const what of ['tcp', 'tcp6', 'unix', 'abstract', 'udp'])
      expect([what, seen[what]]).toEqual([what, expect.stringMatching(/^refused/)])
    expect(seen['uid'][0]).not.toBe(0)
    expect(seen['uid'][1]).not.toBe(0)
    if (process.getuid!() === 0) expect(receipt.uid).toBeGreaterThanOrEqual(65_536)
  })

  test('where root, the process outside has its own uid and gid, no groups, no capability and no new privileges', async () => {
    if (process.getuid!() !== 0) return
    await using world = await openWorld({ level, source: agentOf('return new Promise(() => {})') })
    const stop = new AbortController()
    const { readFileSync } = await import('node:fs')
    const seen = Promise.withResolvers<string>()
    const context = await world.pool.acquire()
    const running = context.run(
      {
        request: { id: 'a.1', attempt: 1, agentType: 'a', tenant: 't', metadata: {} },
        input: 1,
        traceparent: '',
      },
      { started: () => seen.resolve(nodeStatus(context.pid, readFileSync)) },
      stop.signal,
    )
    const status = await seen.promise
    stop.abort()
    const { receipt } = await running
    const id = receipt.uid
    expect(status).toContain(`Uid:\t${id}\t${id}\t${id}\t${id}`)
    expect(status).toContain(`Gid:\t${id}\t${id}\t${id}\t${id}`)
    expect(status).toMatch(/^Groups:\s*$/m)
    expect(status).toMatch(/^CapEff:\t0+$/m)
    expect(status).toMatch(/^CapBnd:\t0+$/m)
    expect(status).toMatch(/^NoNewPrivs:\t1$/m)
  })
})

describe('at level thread nothing is sealed', () => {
  test('but the environment is empty, and files and processes need another door than Node’s own', async () => {
    await using world = await openWorld({ level: 'thread', source: LOOK })
    const seen = (await world.run({})).result as Seen
    expect(seen['environment']).toEqual([])
    for (const what of ['hosts', 'root', 'writeRoot', 'status'])
      expect([what, seen[what]]).toEqual([what, 'refused: ERR_ACCESS_DENIED'])
    expect(seen['kill']).toBe(true)
    expect(seen['udp']).toBe('bound')
  })
})

describe.runIf(levels.includes('namespace'))('I4 sealed, at level namespace alone', () => {
  test('no file of the host is seen, and nothing but the temporary folders can be written', async () => {
    await using world = await openWorld({ level: 'namespace', source: LOOK })
    const seen = (await world.run({})).result as Seen
    expect(seen['root']).toEqual(
      ['dev', 'lib', 'lib64', 'node', 'proc', 'tmp'].filter((name) => seen['root'].includes(name)),
    )
    expect(seen['hosts']).toBe('refused: ENOENT')
    for (const what of ['writeRoot', 'writeDev'])
      expect(seen[what]).toMatch(/^refused: (EROFS|ERR_ACCESS_DENIED)/)
    expect(seen['processes']).toBeLessThanOrEqual(3)
    expect(seen['processEnvironment']).toMatch(/^(PWD=[^\0]*\0)?$/)
    expect(seen['limits']).toMatch(/^Max core file size\s+0\s+0/m)
  })

  test('descriptors are 0 to 7 and those that Node itself has opened', async () => {
    await using world = await openWorld({ level: 'namespace', source: LOOK })
    const seen = (await world.run({})).result as Seen
    const foreign = (seen['descriptors'] as [number, string][]).filter(
      ([fd, what]) => fd > 7 && !/^anon_inode:|^refused|^\/dev\/null$|^\/proc\/\d+\/fd$|^pipe:/.test(what),
    )
    expect(foreign).toEqual([])
  })

  test('every family of sockets is refused by the kernel', async () => {
    await using world = await openWorld({ level: 'namespace', source: LOOK })
    const seen = (await world.run({})).result as Seen
    expect(seen['status']).toMatch(/^Seccomp:\t2$/m)
    expect(seen['udp']).toMatch(/^refused: (EPERM|ERR_ACCESS_DENIED)/)
  })
})

function nodeStatus(pid: number, read: (file: string, encoding: 'utf8') => string): string {
  const children = read(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  const node = children.length > 0 ? children[0]! : String(pid)
  return read(`/proc/${node}/status`, 'utf8')
}
