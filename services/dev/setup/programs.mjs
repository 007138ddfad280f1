import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const POSTGRES_ROOT = '/usr/lib/postgresql'
const SYSTEM_PATH = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin', '/opt/homebrew/bin']

/**
 * What the project runs beside Node. `found(directories)` says whether it is there; `optional` programs are only missed aloud.
 * REDIS_URL in the environment takes the place of an own Redis. `node` is the Node that the packages brought.
 */
export function wantedPrograms({ forTests, env, node }) {
  const libatomic = {
    name: 'libatomic',
    apt: 'libatomic1',
    linuxOnly: true,
    found: () => !lacksLibrary(node, 'libatomic.so.1'),
  }
  const redis = {
    name: 'Redis',
    apt: 'redis-server',
    brew: 'redis',
    found: has('redis-server', 'valkey-server'),
  }
  const postgres = {
    name: 'Postgres',
    apt: 'postgresql',
    brew: 'postgresql',
    found: (directories) =>
      ['postgres', 'initdb'].every((name) => has(name)([...directories, ...postgresBins()])),
  }
  const bubblewrap = { name: 'bubblewrap', apt: 'bubblewrap', found: has('bwrap'), linuxOnly: true }
  const compose = {
    name: 'docker-compose',
    apt: 'docker-compose',
    found: has('docker-compose'),
    optional: true,
    linuxOnly: true,
  }
  return [libatomic, ...(env.REDIS_URL ? [] : [redis]), postgres, bubblewrap, ...(forTests ? [compose] : [])]
}

/** Those of `wanted` that this machine has not. */
export function missingPrograms(wanted, env, platform = process.platform) {
  const directories = [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...SYSTEM_PATH]
  return wanted.filter(
    (program) => !(program.linuxOnly && platform !== 'linux') && !program.found(directories),
  )
}

function has(...names) {
  return (directories) =>
    names.some((name) => directories.some((directory) => executable(join(directory, name))))
}

/** True when the loader says so: where libraries lie differs from system to system. */
function lacksLibrary(program, library) {
  const { status, stderr } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  return status !== 0 && (stderr ?? '').includes(`${library}: cannot open shared object file`)
}

function postgresBins() {
  try {
    return readdirSync(POSTGRES_ROOT).map((version) => join(POSTGRES_ROOT, version, 'bin'))
  } catch {
    return []
  }
}

function executable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
