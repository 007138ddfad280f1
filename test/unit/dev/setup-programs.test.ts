import { describe, expect, test } from 'vitest'
import { advice, FAILED, NOT_ROOT } from '../../../services/dev/setup/install.mjs'
import { tooOld } from '../../../services/dev/setup/node-version.mjs'
import { missingPrograms, wantedPrograms } from '../../../services/dev/setup/programs.mjs'

const program = (name: string, there: boolean, more: object = {}) => ({
  name,
  apt: name,
  found: () => there,
  ...more,
})

const node = process.execPath
const names = (env: NodeJS.ProcessEnv) =>
  wantedPrograms({ forTests: false, env, node }).map(({ name }) => name)

describe('what the set-up looks for', () => {
  test('REDIS_URL takes the place of a Redis of our own', () => {
    expect(names({})).toEqual(['libatomic', 'Redis', 'Postgres', 'bubblewrap'])
    expect(names({ REDIS_URL: 'redis://elsewhere' })).toEqual(['libatomic', 'Postgres', 'bubblewrap'])
  })

  test('docker-compose is wanted for tests only, and never required', () => {
    const compose = wantedPrograms({ forTests: true, env: {}, node }).find(
      ({ name }) => name === 'docker-compose',
    )
    expect(compose).toMatchObject({ optional: true })
    expect(wantedPrograms({ forTests: false, env: {}, node })).not.toContainEqual(
      expect.objectContaining({ name: 'docker-compose' }),
    )
  })

  test('what is there is not missing, and what only Linux has is not missed elsewhere', () => {
    const wanted = [
      program('here', true),
      program('gone', false),
      program('walls', false, { linuxOnly: true }),
    ]
    const names = (platform: NodeJS.Platform) => missingPrograms(wanted, {}, platform).map(({ name }) => name)
    expect(names('linux')).toEqual(['gone', 'walls'])
    expect(names('darwin')).toEqual(['gone'])
  })
})

describe('what it says where it cannot install', () => {
  const missing = [program('Redis', false, { apt: 'redis-server', brew: 'redis' })]

  test('on Linux it names the package, and the way round it', () => {
    expect(advice(missing, NOT_ROOT, 'linux')).toContain('apt-get install redis-server (or set REDIS_URL')
  })

  test('a failed apt-get is not called a missing password', () => {
    expect(advice(missing, FAILED, 'linux')).toMatch(
      /apt-get could not install it.*apt-get install redis-server/,
    )
    expect(advice(missing, FAILED, 'linux')).not.toContain('password')
  })

  test('on macOS it names the formula', () => {
    expect(advice(missing, NOT_ROOT, 'darwin')).toContain('brew install redis (or set REDIS_URL')
  })
})

test('a Node before 18 is told so, and what to get', () => {
  for (const version of ['v12.22.12', 'v16.20.2', 'v17.9.1'])
    expect(tooOld(version)).toMatch(`this is Node ${version}; Node 18 or newer`)
  for (const version of ['v18.0.0', 'v26.10.0', 'v100.0.0']) expect(tooOld(version)).toBeUndefined()
})
