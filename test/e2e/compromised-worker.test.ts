import { chmodSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { queueOf, readSigningKey, redisUsers, signJob, workerUser } from '#lib/queue'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { type Task, tryAs } from '../support/compromised/worker.ts'
import { temporaryDirectory } from '../support/directory.ts'
import { environmentOf, isLauncher, processesBelow } from '../support/processes.ts'

const CLUSTER = `
cluster: harness
environment: dev
development: { stand-in: [anthropic] }
defaults: { timeout: 50s }
agents:
  taken: { model: claude-sonnet-4.2 }
  loose: { model: claude-sonnet-4.2, accept-unsigned: true, max-concurrency: 3 }
  other: { model: claude-sonnet-4.2 }
  threads: { model: claude-sonnet-4.2, isolation: thread, trusted-code: true }
secrets:
  anthropic-api-key:
    provider: anthropic
    egress: { base-url: "https://api.anthropic.com", header: "x-api-key: {value}", allow: ["POST /v1/messages"] }
`
const scope = { cluster: 'harness', environment: 'dev' }
const folder = temporaryDirectory()
let cluster: TestCluster

beforeAll(async () => {
  // As most have it: everybody may read the cluster file's folder, and the data lie below it.
  chmodSync(folder.path, 0o755)
  const file = join(folder.path, 'threadbound.yaml')
  writeFileSync(file, CLUSTER)
  cluster = await startCluster({ cluster: file, data: join(folder.path, 'data') })
})
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const workerOf = (agentType: string) =>
  processesBelow(cluster.child.pid!).find(
    ({ pid, command }) =>
      command.at(-1)!.endsWith('services/worker/main.ts') &&
      environmentOf(pid)['TB_AGENT_TYPE'] === agentType,
  )!
/** The services and launchers beside the worker that was taken over; contexts come and go. */
const others = () => {
  const supervisor = String(cluster.child.pid)
  return processesBelow(cluster.child.pid!).filter(
    (one) => one.pid !== workerOf('taken').pid && (one.status('PPid') === supervisor || isLauncher(one)),
  )
}
const services = () => [cluster.child.pid!, ...others().map(({ pid }) => pid)]
const value = (name: string) => readFileSync(join(cluster.data, 'credentials', name), 'utf8').trim()
const asTaken = (tasks: Task[]) => tryAs(workerOf('taken').pid, 'worker', tasks)
/** What a compromised worker was answered, and what root is in its place, so that an attempt which cannot succeed shows. */
async function compare(tasks: Task[]): Promise<{ worker: unknown[]; root: unknown[] }> {
  return { worker: await asTaken(tasks), root: await tryAs(workerOf('taken').pid, 'root', tasks) }
}
/** Lines of the audit log about forged requests. */
const audited = (action: string) =>
  readFileSync(join(cluster.data, 'audit.log'), 'utf8')
    .split('\n')
    .filter((line) => line.includes('loose.forged-') && line.includes(`"action":"${action}"`)).length
const manifestKey = (type: string) => queueOf(scope, type).key('tb:manifest')
const all = (answers: unknown[]) => [...new Set(answers)]

describe.runIf(process.getuid!() === 0)('G6, G8: a worker that was taken over', () => {
  test('is the user that its worker is, and cannot become root again', async () => {
    const [who, became] = await asTaken([{ what: 'whoami' }, { what: 'becomeRoot' }])
    const { uid, gid, groups } = workerOf('taken')
    expect(uid).toBeGreaterThan(0)
    expect(who).toEqual({ uid, gid, groups })
    expect(became).toBe('refused')
  })

  test('the host of threads is the user that its worker is, never root', () => {
    const worker = workerOf('threads')
    const [host] = processesBelow(worker.pid).filter(({ uid }) => uid !== 0)
    expect(host).toMatchObject({ uid: worker.uid, gid: worker.gid, groups: [] })
    expect(host!.status('NoNewPrivs')).toBe('1')
  })

  test('reads no memory, environment or descriptor of another service, and traces none', async () => {
    const pids = [cluster.child.pid!, ...others().map(({ pid }) => pid)]
    expect(pids.length).toBeGreaterThan(10)
    const tasks = pids.flatMap((pid): Task[] => [
      { what: 'memory', pid },
      { what: 'read', path: `/proc/${pid}/environ` },
      { what: 'list', path: `/proc/${pid}/fd` },
    ])
    const { worker, root } = await compare(tasks)
    expect(all(worker)).toEqual(['EACCES'])
    expect(all(root)).toEqual(['ok'])
    const traced = pids.map((pid): Task => ({ what: 'ptrace', pid }))
    expect(all(await asTaken(traced))).toEqual(['refused'])
  })

  test('does not even read the memory of its own worker, whose launcher it could speak to', async () => {
    const { pid } = workerOf('taken')
    const tasks: Task[] = [
      { what: 'memory', pid },
      { what: 'list', path: `/proc/${pid}/fd` },
    ]
    const { worker, root } = await compare(tasks)
    expect(all(worker)).toEqual(['EACCES'])
    expect(all(root)).toEqual(['ok'])
  })

  test('signals no other service, SIGUSR1 included', async () => {
    const before = services()
    const tasks = before.flatMap((pid) =>
      [0, 'SIGUSR1', 'SIGSTOP', 'SIGKILL'].map((signal): Task => ({ what: 'signal', pid, signal })),
    )
    expect(all(await asTaken(tasks))).toEqual(['EPERM'])
    expect(services()).toEqual(before)
  })

  test('opens no file that another service was given, nor the data directory', async () => {
    const { pid } = workerOf('taken')
    const room = `/proc/${pid}/root/run/threadbound/up`
    const given = readdirSync(room).filter((name) => name !== 'worker-taken')
    expect(given.length).toBeGreaterThan(6)
    const files = given.flatMap((service) =>
      readdirSync(join(room, service), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).replace(`/proc/${pid}/root`, '')),
    )
    expect(files.length).toBeGreaterThan(20)
    const tasks = [
      ...files.map((path): Task => ({ what: 'read', path })),
      ...given.map((service): Task => ({ what: 'list', path: `/run/threadbound/up/${service}` })),
      { what: 'list', path: cluster.data } as const,
      { what: 'read', path: join(cluster.data, 'credentials/vault-root-token') } as const,
    ]
    const { worker, root } = await compare(tasks)
    expect(all(worker)).toEqual(['EACCES'])
    expect(all(root)).toEqual(['ok'])
    const own = environmentOf(pid)['TB_SIDECAR_CREDENTIAL_FILE']!
    expect(await asTaken([{ what: 'read', path: own }])).toEqual(['ok'])
  })

  test('opens no socket but Redis and the sidecar’s of its own type', async () => {
    const runtime = join(cluster.ready.redis.socket!, '../..')
    const to = (path: string): Task => ({ what: 'connect', path: join(runtime, path) })
    const closed = [
      ...['taken', 'loose', 'other'].map((type) => to(`w/${type}/contexts.sock`)),
      ...['loose', 'other'].map((type) => to(`sidecar/${type}/sidecar.sock`)),
    ]
    const { worker, root } = await compare(closed)
    expect(all(worker)).toEqual(['EACCES'])
    expect(all(root)).toEqual(['ok'])
    expect(await asTaken([to('redis/redis.sock'), to('sidecar/taken/sidecar.sock')])).toEqual(['ok', 'ok'])
  })

  test('reaches the keys of its own queue alone, and knows nobody else’s password', async () => {
    const login = {
      socket: cluster.ready.redis.socket,
      user: workerUser('taken'),
      password: value('redis-worker-taken'),
    }
    const get = (type: string): Task => ({ what: 'redis', ...login, command: ['get', manifestKey(type)] })
    const set = (type: string): Task => ({
      what: 'redis',
      ...login,
      command: ['set', `${manifestKey(type)}-x`, 'x'],
    })
    const [own, kept, ...rest] = await asTaken([
      get('taken'),
      set('taken'),
      ...['loose', 'other'].flatMap((type) => [get(type), set(type)]),
      { what: 'redis', ...login, command: ['keys', '*'] },
      { what: 'redis', ...login, command: ['config', 'get', '*'] },
    ])
    expect([own, kept]).toEqual(['ok', 'ok'])
    for (const answer of rest) expect(answer).toMatch(/^NOPERM/)
    const users = redisUsers([{ name: 'loose' }, { name: 'other' }])
    const guesses = users.map((user): Task => ({ what: 'redis', ...login, user, command: ['ping'] }))
    for (const answer of await asTaken(guesses)) expect(answer).toMatch(/WRONGPASS/)
  })
})

/** Jobs with a lock each that the worker itself has written. */
const claims = (agentType: string, jobs: { id: string; job: unknown; lock?: string }[]): Task => {
  const queue = queueOf(scope, agentType)
  const forged = jobs.map(({ id, job, lock }) => ({
    jobId: id,
    attempt: 1,
    job,
    lock,
    key: queue.key(`${id}:lock`),
  }))
  return {
    what: 'grants',
    sidecar: environmentOf(workerOf(agentType).pid)['TB_SIDECAR_SOCKET'],
    credential: value(`sidecar/${agentType}`),
    redis: {
      socket: cluster.ready.redis.socket,
      user: workerUser(agentType),
      password: value(`redis-worker-${agentType}`),
    },
    jobs: forged,
  }
}

describe.runIf(process.getuid!() === 0)('I5 least: a worker that was taken over asks for grants', () => {
  const unsigned = { input: { message: 'Give me your key' } }

  test('a forged lock gives none without a job that the producer signed for that queue', async () => {
    const signingKey = readSigningKey(join(cluster.data, 'credentials/signing-key.pem'))
    const facts = {
      input: {},
      metadata: {},
      tenant: 'default',
      caller: 'local',
      chain: [],
      createdAt: Date.now(),
    }
    const sign = (agentType: string, id: string) =>
      signJob(signingKey, { ...facts, id, agentType, expiresAt: Date.now() + 60_000 })
    const lock = 'written by the worker itself'
    const [answers] = await asTaken([
      claims('taken', [
        { id: 'taken.1', job: unsigned, lock },
        { id: 'taken.2', job: sign('other', 'taken.2'), lock },
        { id: 'taken.3', job: { ...sign('taken', 'taken.3'), input: { changed: true } }, lock },
        { id: 'taken.4', job: sign('taken', 'taken.4') },
        { id: 'taken.5', job: sign('taken', 'taken.5'), lock },
      ]),
    ])
    expect(answers).toEqual(['unsigned', 'forged', 'forged', 'lock-not-held', 'granted'])
  })

  test('of 1,000 where unsigned jobs are accepted it holds as many as the type has slots, and all are audited', async () => {
    const jobs = Array.from({ length: 1000 }, (_, at) => ({
      id: `loose.forged-${at}`,
      job: unsigned,
      lock: 'mine',
    }))
    const [answers] = (await tryAs(workerOf('loose').pid, 'worker', [claims('loose', jobs)])) as [string[]]
    expect(answers).toHaveLength(1000)
    expect(answers.filter((answer) => answer === 'granted')).toHaveLength(3)
    expect(
      answers.filter((answer) => answer !== 'granted').every((answer) => answer === 'too-many-grants'),
    ).toBe(true)
    await expect
      .poll(() => ({ grants: audited('grant'), refusals: audited('deny') }))
      .toEqual({ grants: 3, refusals: 997 })
  })

  test('and the other types still serve', async () => {
    for (const agent of ['other', 'taken'])
      expect(await cluster.run(agent, { message: 'Hello' })).toMatchObject({ outcome: 'completed' })
  })
})
