import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ClusterFileError, loadCluster, writeResolvedCluster } from '#lib/cluster'
import { FULL } from './samples.ts'

let folder: string
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'tb-cluster-')))
  await mkdir(join(folder, 'cluster', 'agents'), { recursive: true })
  await writeFile(join(folder, 'secret.ts'), '')
  for (const name of ['coordinator.ts', 'database-agent.ts', 'notes.txt'])
    await writeFile(join(folder, 'cluster', 'agents', name), '')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const resolved = () => inCluster('resolved.json')
const inCluster = (...names: string[]) => join(folder, 'cluster', ...names)
const withHandler = (handler: string) => `agents:\n  a: { handler: ${JSON.stringify(handler)} }\n`

/** The message that loading a file with this text ends in; empty when it loads. */
async function faultOf(text: string | Buffer, name = 'threadbound.yaml'): Promise<string> {
  await writeFile(inCluster(name), text)
  return loadFault(inCluster(name))
}

async function loadFault(file: string): Promise<string> {
  try {
    await loadCluster(file)
    return ''
  } catch (error) {
    if (error instanceof ClusterFileError) return error.message
    throw error
  }
}

describe('a cluster is loaded from disk', () => {
  test('paths are absolute and real, also through a link to the file', async () => {
    await writeFile(inCluster('threadbound.yaml'), FULL)
    await symlink(inCluster('threadbound.yaml'), join(folder, 'link.yaml'))
    const cluster = await loadCluster(join(folder, 'link.yaml'))
    expect(cluster.file).toBe(inCluster('threadbound.yaml'))
    expect(cluster.root).toBe(inCluster())
    expect(cluster.agents['coordinator']!.handler).toBe(inCluster('agents', 'coordinator.ts'))
  })

  test('what cannot be read is told without a line', async () => {
    const missing = inCluster('missing.yaml')
    expect(await loadFault(missing)).toBe(`${missing}: no such file`)
    await mkdir(inCluster('folder.yaml'))
    expect(await loadFault(inCluster('folder.yaml'))).toContain('is no file')
    expect(await faultOf(Buffer.from([0x61, 0x3a, 0x20, 0xff]))).toContain('is not UTF-8')
    expect(await faultOf(`# ${'x'.repeat(2 ** 20)}`)).toContain('is larger than 1 MiB')
    expect(await faultOf(`# ${'x'.repeat(2 ** 24)}`)).toContain('is larger than 1 MiB')
  })
})

describe('handlers stay inside the folder of the file', () => {
  test.each([
    ['../secret.ts', 'expected a path inside the folder of this file'],
    ['agents/../../secret.ts', 'expected a path inside the folder of this file'],
    ['../missing.ts', 'expected a path inside the folder of this file'],
    ['/etc/passwd', 'expected a path inside the folder of this file'],
    ['.', 'expected a path inside the folder of this file'],
    ['agents/a\0.ts', 'expected a path inside the folder of this file'],
    ['agents/missing.ts', 'no such file'],
    ['agents/coordinator.ts/x.ts', 'no such file'],
    ['agents/notes.txt', 'expected a .ts, .mts, .js, .mjs file'],
  ])('%j is refused', async (handler, fault) => {
    expect(await faultOf(withHandler(handler))).toContain(`threadbound.yaml:2:17 agents.a.handler: ${fault}`)
  })

  test('a link that leads outside is refused, one that stays inside is followed', async () => {
    await symlink(join(folder, 'secret.ts'), inCluster('agents', 'out.ts'))
    await symlink(folder, inCluster('agents', 'up'))
    await symlink(inCluster('agents', 'notes.txt'), inCluster('agents', 'text.ts'))
    await symlink('coordinator.ts', inCluster('agents', 'in.ts'))
    for (const handler of ['agents/out.ts', 'agents/up/secret.ts'])
      expect(await faultOf(withHandler(handler))).toContain('expected a path inside')
    expect(await faultOf(withHandler('agents/text.ts'))).toContain('expected a .ts')
    expect(await faultOf(withHandler('agents/in.ts'))).toBe('')
    const cluster = await loadCluster(inCluster('threadbound.yaml'))
    expect(cluster.agents['a']!.handler).toBe(inCluster('agents', 'coordinator.ts'))
  })

  test('a folder that ends in .ts is refused', async () => {
    await mkdir(inCluster('agents', 'folder.ts'))
    expect(await faultOf(withHandler('agents/folder.ts'))).toContain('expected a file')
  })
})

async function written() {
  await writeFile(inCluster('threadbound.yaml'), FULL)
  const cluster = await loadCluster(inCluster('threadbound.yaml'))
  await writeResolvedCluster(cluster, resolved())
  return cluster
}

describe('a resolved cluster', () => {
  test('reads back as it was written, without the file that it came from', async () => {
    const cluster = await written()
    cluster.secrets['orders-db']!.connect!.socket = '/run/postgres'
    await writeResolvedCluster(cluster, resolved())
    await rm(inCluster('threadbound.yaml'))
    expect(await loadCluster(resolved())).toEqual(cluster)
  })

  test('replaces an older one whole, leaves nothing beside it, and other users may read it', async () => {
    await written()
    await chmod(resolved(), 0o600)
    await written()
    expect((await readdir(inCluster())).filter((name) => name.includes('resolved'))).toEqual([
      'resolved.json',
    ])
    expect((await stat(resolved())).mode & 0o777).toBe(0o644)
  })

  test('of another version, cut short, or with a handler outside its root is refused', async () => {
    await written()
    const text = await readFile(resolved(), 'utf8')
    const other = text.replace('"resolved":1', '"resolved":2')
    expect(await faultOf(other, 'other.json')).toContain('is no resolved cluster of this version: resolved')
    expect(await faultOf(text.slice(0, -40), 'cut.json')).toContain('is no complete JSON')
    const outside = text.replace(inCluster('agents', 'coordinator.ts'), join(folder, 'secret.ts'))
    expect(await faultOf(outside, 'outside.json')).toContain('has a handler outside its root')
  })
})
