import { expect, test } from 'vitest'
import * as z from 'zod'
import { ConfigError, configToEnv, loadConfig, readCredential } from '#lib/runtime'

const Schema = z.object({
  clusterFile: z.string(),
  port: z.coerce.number().int().max(65_535).default(0),
  redis: z.object({ passwordFile: z.string({ error: 'expected the path of the password file' }) }),
})

const load = () => loadConfig(Schema, { TB_PORT: 'eighty', TB_CLUSTER_FILE: '' })

test('every variable that is missing or wrong is named at once, with what was expected', () => {
  expect(load).toThrow(ConfigError)
  expect(load).toThrow('TB_CLUSTER_FILE: not set, expected string')
  expect(load).toThrow('TB_PORT: expected number')
  expect(load).toThrow('TB_REDIS_PASSWORD_FILE: not set, expected the path of the password file')
})

test('what was written as environment is read back the same', () => {
  const values = { clusterFile: '/c', port: 8, redis: { passwordFile: '/p' } }
  expect(loadConfig(Schema, configToEnv(values))).toEqual(values)
})

test('a group that may be absent is absent when none of its variables is set, and whole or refused when one is', () => {
  const User = z.object({ runAs: z.object({ uid: z.coerce.number(), gid: z.coerce.number() }).optional() })
  expect(loadConfig(User, {})).toEqual({})
  expect(loadConfig(User, { TB_RUN_AS_UID: '7', TB_RUN_AS_GID: '8' })).toEqual({ runAs: { uid: 7, gid: 8 } })
  expect(() => loadConfig(User, { TB_RUN_AS_UID: '7' })).toThrow('TB_RUN_AS_GID: not set')
})

test('a credential file that cannot be read is named', () => {
  expect(() => readCredential('/nowhere/key')).toThrow('cannot read the credential file /nowhere/key: ENOENT')
})
