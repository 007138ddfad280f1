import {
  type IdentityOptions,
  type ReaderOptions,
  SecretReader,
  SidecarIdentity,
  wrappedLogin,
} from '#lib/secrets'
import { createLog, type Log } from '#lib/runtime'
import { vaultNames } from '#lib/vault'
import { FakeVault } from './fake-vault.ts'
import { TurnedClock } from './turned-clock.ts'

/** A fresh world around a fake Vault: two agent types, two secrets, a clock turned by hand, and all that was logged. */
export function secretsWorld() {
  const clock = new TurnedClock()
  const names = vaultNames({ cluster: 'demo', environment: 'dev' })
  const vault = new FakeVault(clock, names)
  const logged: string[] = []
  const log = collectingLog(logged)
  vault.kv.set(names.secret('api-key'), { data: { value: 'canary-value' }, version: 3 })
  vault.allowed.add(`${names.agent('writer')} ${names.secret('api-key')}`)
  vault.allowed.add(`${names.agent('writer')} ${names.credentials('orders-db')}`)
  const world = { clock, names, vault, log, logged }
  const login = wrappedLogin({ vault, names, roleId: 'role-id', wrappedSecretId: 'wrapping-token' })
  const options = { ...world, login, random: () => 0 }
  return {
    ...world,
    login: (more: Partial<IdentityOptions> = {}) => SidecarIdentity.open({ ...options, ...more }),
  }
}

/** The same with a reader, whose values are fresh for as long as they may be. */
export async function readerWorld(more: Partial<ReaderOptions> = {}) {
  const world = secretsWorld()
  const identity = await world.login()
  const reader = await SecretReader.open({ ...world, identity, random: () => 1, ...more })
  return { ...world, identity, reader, path: world.names.secret('api-key') }
}

function collectingLog(lines: string[]): Log {
  const log = createLog('test', 'silent')
  const collect = (facts: object, message?: string) => void lines.push(JSON.stringify({ message, ...facts }))
  return Object.assign(log, { info: collect, warn: collect, error: collect })
}
