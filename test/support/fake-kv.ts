import type { StoreVault } from '#lib/rotation'
import { VaultError, type VaultPath } from '#lib/vault'
import { FaultPoints } from './fault-points.ts'

/** What lies in a KV, shared by all who reach it. */
export class FakeKv {
  readonly entries = new Map<string, Record<string, unknown>[]>()
  /** Paths of all writes, in order. */
  readonly writes: string[] = []

  /** The KV as one process sees it. */
  as(points = new FaultPoints()): StoreVault {
    return {
      kvRead: (_token, path, version) =>
        points.around(`read ${shelf(path)}`, () => this.#read(path, version)),
      kvWrite: (_token, path, data, cas) =>
        points.around(`write ${shelf(path)}`, () => this.#write(path, data, cas)),
      inventory: {
        remove: (_token, path) =>
          points.around(`remove ${shelf(path)}`, () => {
            this.entries.delete(path.replace('kv/metadata/', 'kv/data/'))
          }),
      },
    }
  }

  latest(path: VaultPath): Record<string, unknown> | undefined {
    return this.entries.get(path)?.at(-1)
  }

  #read(path: VaultPath, version?: number) {
    const versions = this.entries.get(path) ?? []
    const data = versions[(version ?? versions.length) - 1]
    if (!data) throw new VaultError({ kind: 'notFound', operation: `GET ${path}` })
    return { data: structuredClone(data), version: version ?? versions.length }
  }

  #write(path: VaultPath, data: object, cas?: number): number {
    const versions = this.entries.get(path) ?? []
    if (cas !== undefined && cas !== versions.length)
      throw new VaultError({ kind: 'conflict', operation: `POST ${path}` })
    this.entries.set(path, versions)
    this.writes.push(path)
    return versions.push(structuredClone(data) as Record<string, unknown>)
  }
}

const shelf = (path: string) => /--(rotation|pending)/.exec(path)?.[1] ?? 'live'
