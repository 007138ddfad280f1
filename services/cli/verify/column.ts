import type { Bundle, ContextLimits } from '#lib/context'
import type { Level } from '#lib/wire'
import { runIntoLimits } from './bounded.ts'
import type { Mark } from './canary/probe.ts'
import type { Evidence } from './checks.ts'
import { openControl } from './control.ts'
import { fly, type Flown } from './generation.ts'
import type { Ground } from './host/ground.ts'
import { removeObjects } from './host/objects.ts'
import { listenersOfHost } from './host/proc-net.ts'
import { SYSTEM_FOLDERS, sweepHost } from './host/residue.ts'
import { type Cell, judge } from './judge.ts'
import type { OpenStage, Stage, StageOptions } from './stage.ts'

/** Which column of the matrix. */
export interface ColumnKey {
  /** Undefined: the control. */
  level?: Level
  /** False: the kernel's walls alone. */
  permissionModel: boolean
}

/** One column of the matrix. */
export interface Column extends ColumnKey {
  cells: Cell[]
  /** Canaries that did not fly, and probes' own faults: with one of them nothing is proven. */
  faults: string[]
}

/** What a column is made of. */
export interface ColumnOptions {
  key: ColumnKey
  runs: number
  openStage: OpenStage
  signal: AbortSignal
  ground: Ground
  /** The beginning of all marks. */
  prefix: string
  bundle: Bundle
  entry: string
}

const GENERATIONS = 2
const LIMITS: ContextLimits = {
  memoryBytes: 256e6,
  timeoutMs: 60_000,
  graceMs: 500,
  outputBytes: 100_000,
  loadTimeoutMs: 20_000,
}

/** A column's name for people. `-p`: without Node's permission model. */
export function titleOf({ level, permissionModel }: ColumnKey): string {
  if (level === undefined) return 'no walls'
  return permissionModel ? level : `${level} -p`
}

/** Lets two generations of canaries loose, and judges what they, the listeners and the host saw. */
export async function openColumn(options: ColumnOptions): Promise<Column> {
  const { key, ground } = options
  const flown = await flyAll(options)
  const isControl = key.level === undefined
  const bounded = isControl ? undefined : await runIntoLimits(options.openStage, stageOptions(options))
  const left = sweepHost(ground.world.files.folders, options.prefix)
  const isRoot = process.getuid!() === 0
  const evidence: Evidence = { flown, bounded, heard: ground.listeners.heard(), ...left, isRoot }
  return { ...key, cells: judge(key.level, evidence), faults: flown.flatMap(faultsOf) }
}

function stageOptions({ key, ground, bundle, entry, runs, signal }: ColumnOptions): StageOptions {
  const { runtimeDir, brokerSocket } = ground
  const { level = 'process', permissionModel } = key
  const parts = { level, permissionModel, runtimeDir, brokerSocket, bundle, entry, signal }
  return { ...parts, canaries: runs, limits: LIMITS }
}

/** The first generation leaves what the second looks for. */
async function flyAll(options: ColumnOptions): Promise<Flown[]> {
  const { key, ground, signal } = options
  const isControl = key.level === undefined
  const open = isControl ? openControl : options.openStage
  const planted: Mark[] = []
  await using _objects = { [Symbol.asyncDispose]: () => removeObjects(planted) }
  await using stage: Stage = await open(stageOptions(options))
  const flown: Flown[] = []
  for (let generation = 1; generation <= GENERATIONS; generation++) {
    const marks = marksOf(options, generation)
    const before = [ground.mark, ...planted]
    planted.push(...marks)
    const listeners = isControl ? ground.listeners.targets : listenersOfHost()
    const folders = isControl ? [] : SYSTEM_FOLDERS
    flown.push(...(await fly({ stage, ground, marks, before, listeners, folders, signal })))
    signal.throwIfAborted()
  }
  return flown
}

let keys = 0
function marksOf({ key, prefix, runs }: ColumnOptions, generation: number): Mark[] {
  const column = titleOf(key).replaceAll(' ', '')
  return Array.from({ length: runs }, (_, at) => ({
    mark: `${prefix}${column}-${generation}-${String(at).padStart(3, '0')}`,
    key: 0x7c_00_00_00 | ((process.pid & 0xfff) << 12) | (keys++ & 0xfff),
  }))
}

function faultsOf({ mark: { mark }, end, said }: Flown): string[] {
  if (!said) return [`${mark} ended ${end.outcome}: ${end.error?.message ?? 'nothing was said'}`]
  return Object.entries(said.faults).map(([name, fault]) => `${mark}, ${name}: ${fault}`)
}
