import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { bundleAgent, buildChildEntry } from '#lib/context'
import type { Level } from '#lib/wire'
import { type Column, type ColumnKey, openColumn, titleOf } from './column.ts'
import { type Ground, openGround } from './host/ground.ts'
import { sweepHost } from './host/residue.ts'
import type { OpenStage } from './stage.ts'

/** What to verify. */
export interface VerifyOptions {
  columns: ColumnKey[]
  /** Canaries at the same time. */
  runs: number
  openStage: OpenStage
  /** Ends it; nothing is left all the same. */
  signal: AbortSignal
  /** Tells how far it is. */
  tell?: (text: string) => void
}

const CANARIES = fileURLToPath(new URL('./canary', import.meta.url))
const AGENT = fileURLToPath(new URL('./canary/agent.ts', import.meta.url))

/** Every column for these levels: first the control, then each level, with the kernel's walls alone as well. */
export function columnsOf(levels: Level[]): ColumnKey[] {
  const all = levels.flatMap((level) => modesOf(level).map((permissionModel) => ({ level, permissionModel })))
  return [{ permissionModel: false }, ...all]
}

/** A thread host has no permission model to switch off. */
const modesOf = (level: Level) => (level === 'thread' ? [true] : [true, false])

/** Lets canaries loose, one column after the other. The host is as it was before, whatever happens. */
export async function verify(options: VerifyOptions): Promise<Column[]> {
  const prefix = `tb${randomBytes(4).toString('hex')}-`
  const bundle = await bundleAgent({ root: CANARIES, file: AGENT })
  const entry = await buildChildEntry()
  await using ground = await openGround(prefix)
  using _swept = sweeping(ground, prefix)
  const columns: Column[] = []
  for (const key of options.columns) {
    options.tell?.(titleOf(key))
    columns.push(await openColumn({ ...options, key, ground, prefix, bundle, entry }))
    options.signal.throwIfAborted()
  }
  return columns
}

/** What is left when it was cut short. */
const sweeping = (ground: Ground, prefix: string): Disposable => ({
  [Symbol.dispose]: () => void sweepHost(ground.world.files.folders, prefix),
})
