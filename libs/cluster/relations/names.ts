import { nameFault } from '../schema/scalars.ts'
import { quote } from '../source/printable.ts'
import type { Check } from './check.ts'

const MODEL = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}\*?$|^\*$/

/** Names that the operator chose: agent types, secrets, model patterns. */
export function checkNames(check: Check): void {
  for (const section of ['agents', 'secrets'] as const)
    for (const name of check.names(section)) {
      const fault = nameFault(name)
      if (fault !== undefined) check.reportKey([section, name], fault)
    }
  for (const pattern of check.names('models'))
    if (!MODEL.test(pattern))
      check.reportKey(
        ['models', pattern],
        `expected a model name, or its beginning followed by *, got ${quote(pattern)}`,
      )
}
