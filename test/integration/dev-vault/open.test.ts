import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DevVault, RefusedHostError, WeakRootTokenError } from '#lib/dev-vault'
import { silentLog, systemClock } from '#lib/runtime'
import { Config, ProductionRefusedError } from '../../../services/dev/vault/config.ts'
import { refuseProduction } from '../../../services/dev/vault/refuse-production.ts'

const open = (options: object) =>
  DevVault.open({ clock: systemClock, rootToken: 'a-root-token-of-20-chars', log: silentLog, ...options })

describe('where it runs', () => {
  test.each(['0.0.0.0', '::', '192.168.1.1', 'localhost', '', '127.0.0.1.example.org', '::ffff:1.2.3.4'])(
    'the host %j is refused',
    async (host) => {
      await expect(open({ host })).rejects.toThrow(RefusedHostError)
    },
  )

  test('both loopback families serve', async () => {
    for (const host of ['127.0.0.1', '::1']) {
      await using vault = await open({ host })
      expect((await fetch(`${vault.address}/v1/sys/health`)).status).toBe(200)
    }
  })

  test('a root token that is short or has spaces is refused', async () => {
    for (const rootToken of ['', 'short', 'long enough but spaces'])
      await expect(open({ rootToken })).rejects.toThrow(WeakRootTokenError)
  })

  test('a port in use is an error, and leaves nothing running', async () => {
    await using vault = await open({})
    await expect(open({ port: Number(new URL(vault.address).port) })).rejects.toThrow('EADDRINUSE')
  })
})

const config = (more: object) => Config.parse({ rootTokenFile: '/x', ...more })

describe('production', () => {
  test('is refused from the variable and from the cluster file', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tb-'))
    const clusterFile = join(directory, 'cluster.json')
    writeFileSync(clusterFile, JSON.stringify({ resolved: 1, environment: 'production' }))
    expect(() => refuseProduction(config({ environment: 'Production' }))).toThrow(ProductionRefusedError)
    expect(() => refuseProduction(config({ clusterFile }))).toThrow(ProductionRefusedError)
    writeFileSync(clusterFile, JSON.stringify({ resolved: 1, environment: 'dev' }))
    expect(refuseProduction(config({ clusterFile })).port).toBe(8200)
    rmSync(directory, { recursive: true })
  })
})
