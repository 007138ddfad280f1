import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { contextUidRange } from '#lib/context'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import {
  answersSigusr1,
  environmentOf,
  isLauncher,
  processesBelow,
  type SeenProcess,
  unlessEnded,
} from '../../support/processes.ts'
import { aliveOf } from '../../support/residue.ts'
import { until } from '../../support/tiny-service.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const root = process.getuid!() === 0
const question = { message: 'Where is my parcel?' }
const contexts = contextUidRange() ?? { first: Infinity, last: 0 }
const isContext = ({ uid }: SeenProcess) => uid >= contexts.first && uid <= contexts.last

/** What a process is, by its command line. */
function nameOf({ pid, command }: SeenProcess): string | undefined {
  if (command[0]?.includes('redis-server')) return 'redis'
  const folder = /services\/(?:dev\/)?([a-z]+)\/main\.ts$/.exec(command.at(-1) ?? '')?.[1]
  return folder === 'worker' ? `worker-${environmentOf(pid)['TB_AGENT_TYPE']}` : folder
}

const servicesOf = (cluster: TestCluster) =>
  new Map(
    processesBelow(cluster.child.pid!)
      .filter((one) => !isContext(one))
      .flatMap((one) => {
        const name = nameOf(one)
        return name ? [[name, one] as const] : []
      }),
  )
const claims = () => (existsSync('/run/threadbound/services') ? readdirSync('/run/threadbound/services') : [])

const isGuard = ({ command }: SeenProcess) => command.some((word) => word.endsWith('guard.sh'))

/** How many launchers, guards and processes in all are root. */
function rootsOf(cluster: TestCluster): number[] {
  const all = processesBelow(cluster.child.pid!).filter(({ uid }) => uid === 0)
  return [all.filter(isLauncher).length, all.filter(isGuard).length, all.length]
}

describe.runIf(root)('G6 each service runs as a user of its own', () => {
  let cluster: TestCluster
  let services: Map<string, SeenProcess>
  beforeAll(async () => {
    cluster = await startCluster({ env: { NODE_OPTIONS: '--inspect=0' } })
    services = servicesOf(cluster)
  })
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  test('none is root, and no two are the same', () => {
    const workers = ['coordinator', 'request-handler', 'database-agent'].map((type) => `worker-${type}`)
    const expected = [
      'redis',
      'vault',
      'traces',
      'models',
      'sidecar',
      'rotator',
      'producer',
      'console',
      ...workers,
    ]
    expect([...services.keys()].toSorted()).toEqual(expected.toSorted())
    const uids = [...services.values()].map(({ uid }) => uid)
    expect(uids).not.toContain(0)
    expect(new Set(uids).size).toBe(uids.length)
    for (const [name, one] of services) {
      expect(one.status('Uid').split('\t'), name).toEqual(Array(4).fill(String(one.uid)))
      expect(one.status('Gid').split('\t'), name).toEqual(Array(4).fill(String(one.uid)))
    }
  })

  test('all have given up every capability for good, and leave no core', () => {
    for (const [name, one] of services) {
      expect(one.status('NoNewPrivs'), name).toBe('1')
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
        expect(one.status(set), name).toMatch(/^0+$/)
    }
    for (const one of processesBelow(cluster.child.pid!)) {
      const limits = unlessEnded(() => readFileSync(`/proc/${one.pid}/limits`, 'utf8'))
      if (limits) expect(limits, one.command.join(' ')).toMatch(/^Max core file size +0 +0 /m)
    }
  })

  test('only the supervisor, its guard and the launchers stay root', async () => {
    // What starts a spare is root until the spare is somebody else's.
    await expect.poll(() => rootsOf(cluster)).toEqual([3, 1, 4])
  })

  test('no Node of ours answers SIGUSR1, and none has an inspector, whatever NODE_OPTIONS says', () => {
    const all = [cluster.child.pid!, ...cluster.pids()]
    expect(all.filter(answersSigusr1)).toEqual([])
    for (const pid of all) expect(Object.keys(environmentOf(pid))).not.toContain('NODE_OPTIONS')
    expect(answersSigusr1(process.pid), 'as a Node does without its option').toBe(true)
    // Before its first word the command itself runs, with the options that the user gave Node.
    expect(cluster.said().slice(cluster.said().indexOf('up: '))).not.toContain('Debugger listening')
  })

  test('sockets lie where only their clients enter, and files where only their reader does', () => {
    const runtime = join(cluster.ready.redis.socket!, '../..')
    const about = (path: string) => {
      const { uid, gid, mode } = statSync(join(runtime, path))
      return { uid, gid, others: mode & 0o007 }
    }
    const [redis, sidecar] = [services.get('redis')!, services.get('sidecar')!]
    expect(about('redis')).toEqual({ uid: redis.uid, gid: redis.gid, others: 0 })
    expect(sidecar.groups).toEqual([redis.gid, about('postgres').gid].toSorted((a, b) => a - b))
    expect(about('postgres').others).toBe(0)
    expect(about('operator')).toEqual({ uid: sidecar.uid, gid: sidecar.gid, others: 0 })
    for (const [name, worker] of services) {
      if (!name.startsWith('worker-')) continue
      const type = name.slice('worker-'.length)
      expect(worker.groups).toEqual([redis.gid])
      expect(about(`sidecar/${type}`)).toEqual({ uid: sidecar.uid, gid: worker.gid, others: 0 })
      expect(about(`w/${type}`)).toEqual({ uid: 0, gid: 0, others: 0 })
    }
    expect(statSync(cluster.data)).toMatchObject({ uid: 0, mode: 0o040700 })
    expect(statSync(join(cluster.data, 'credentials'))).toMatchObject({ uid: 0, mode: 0o040700 })
  })

  test('a second cluster shares no uid, and its files change hands when it is started again', async () => {
    await using second = await startCluster()
    const [mine, theirs] = [services, servicesOf(second)].map((all) =>
      [...all.values()].map(({ uid }) => uid),
    )
    expect(theirs!.filter((uid) => mine!.includes(uid))).toEqual([])
    const owner = () => statSync(join(second.data, 'audit.log')).uid
    expect(owner()).toBe(servicesOf(second).get('sidecar')!.uid)
    second.child.kill('SIGTERM')
    await once(second.child, 'exit')
    // The block that the second had is taken meanwhile, so the next run on its data has another.
    await using third = await startCluster()
    await using again = await startCluster({ data: second.data })
    expect(owner()).toBe(servicesOf(again).get('sidecar')!.uid)
    expect(owner()).not.toBe(servicesOf(third).get('sidecar')!.uid)
    expect(await again.run('request-handler', question)).toMatchObject({ outcome: 'completed' })
  })
})

describe.runIf(root)('after its end', () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)('by %s nothing of its users is left', async (signal) => {
    const before = claims()
    await using cluster = await startCluster()
    const uids = [...servicesOf(cluster).values()].map(({ uid }) => uid)
    const own = claims().filter((claim) => !before.includes(claim))
    expect(own.length).toBeGreaterThan(0)
    cluster.child.kill(signal)
    await once(cluster.child, 'exit')
    await until('nothing is left', () => {
      const left = uids.flatMap(aliveOf)
      const dirs = existsSync(join(cluster.ready.redis.socket!, '../..'))
      return left.length === 0 && !dirs && !claims().some((claim) => own.includes(claim))
    })
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain('/run/threadbound/up')
  })
})

describe.runIf(root)('below a home that nobody but root enters', () => {
  const home = mkdtempSync(join(tmpdir(), 'tb-home-'))
  afterAll(() => rmSync(home, { recursive: true, force: true }))

  /** The checkout's sources in that home. */
  function checkout(): string {
    const folder = join(home, 'checkout')
    mkdirSync(folder, { mode: 0o700 })
    for (const name of ['libs', 'services', 'deploy', 'package.json'])
      cpSync(join(ROOT, name), join(folder, name), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    return folder
  }

  test('checkout, cluster file and data may all lie, and nothing else of it is shown', async () => {
    const folder = checkout()
    const cluster = await startCluster({
      checkout: folder,
      cluster: join(folder, 'deploy/demo/threadbound.yaml'),
      data: join(home, 'data'),
    })
    await using _cluster = cluster
    for (const [agent, input] of [
      ['request-handler', question],
      ['database-agent', { question: 'How many orders are there?' }],
    ] as const)
      expect(await cluster.run(agent, input)).toMatchObject({ outcome: 'completed' })
    const { pid } = servicesOf(cluster).get('producer')!
    expect(readdirSync(`/proc/${pid}/root${home}`).toSorted()).toEqual(['checkout', 'data'])
    expect(readdirSync(`/proc/${pid}/root${folder}`).toSorted()).toEqual(
      ['deploy', 'libs', 'node_modules', 'package.json', 'services'].toSorted(),
    )
    expect(statSync(`/proc/${pid}/root${home}/data`).mode & 0o077).toBe(0)
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    expect(mounts).toMatch(new RegExp(` ${folder}/services ro,`))
  })
})
