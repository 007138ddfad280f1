import type { LevelReport } from '#lib/context'
import type { Level } from '#lib/wire'
import { facts as lines } from '../terminal.ts'
import type { Fact } from './facts.ts'

/** What a cluster file that names no level asks for. */
const DEFAULT: Level = 'namespace'

/** What doctor found. */
export interface Diagnosis {
  levels: LevelReport[]
  facts: Fact[]
}

/** True when a cluster whose file names no level can run here. */
export const isReady = ({ levels }: Diagnosis) =>
  levels.some(({ level, available }) => level === DEFAULT && available)

/** For people. */
export function diagnosisText(diagnosis: Diagnosis): string {
  const { levels, facts } = diagnosis
  const warnings = facts.filter(({ warning }) => warning !== undefined)
  return [
    `Isolation levels\n${lines(levels.map((one) => [one.level, levelText(one)]))}`,
    `This machine\n${lines(facts.map(({ name, value, warning }) => [name, warning ? `${value} (!)` : value]))}`,
    ...warnings.map(
      ({ name, warning, remedy }) => `(!) ${name}: ${warning!}.${remedy ? ` Do: ${remedy}` : ''}`,
    ),
    isReady(diagnosis)
      ? `A cluster whose file names no level runs here, at level ${DEFAULT}.`
      : `A cluster whose file names no level does not run here: level ${DEFAULT} is missing.`,
  ].join('\n\n')
}

function levelText({ level, available, reason, remedy }: LevelReport): string {
  if (available) return level === DEFAULT ? 'available, the default' : 'available'
  return `missing: ${reason ?? 'unknown reason'}. To get it: ${remedy ?? 'see the documentation'}`
}

/** For programs. */
export function record(diagnosis: Diagnosis) {
  const { levels, facts } = diagnosis
  const host = Object.fromEntries(facts.map(({ name, value }) => [name, value]))
  const warnings = facts.flatMap(({ name, warning, remedy }) => (warning ? [{ name, warning, remedy }] : []))
  return { ready: isReady(diagnosis), default: DEFAULT, levels, host, warnings }
}
