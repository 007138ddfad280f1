import { describe, expect, test } from 'vitest'
import { advice } from '../../../services/dev/setup/install.mjs'
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
    const node = process.execPath
    const names = (platform: NodeJS.Platform) => missingPrograms(wanted, {}, platform).map(({ name }) => name)
    expect(names('linux')).toEqual(['gone', 'walls'])
    expect(names('darwin')).toEqual(['gone'])
  })
})

describe('what it says where it cannot install', () => {
  const missing = [program('Redis', false, { apt: 'redis-server', brew: 'redis' })]

  test('on Linux it names the package, and the way round it', () => {
    expect(advice(missing, 'linux')).toContain('apt-get install redis-server (or set REDIS_URL')
  })

  test('on macOS it names the formula', () => {
    expect(advice(missing, 'darwin')).toContain('brew install redis (or set REDIS_URL')
  })
})
