import type { Problem } from '../errors.ts'
import type { FileContent } from '../schema/file.ts'
import type { Node } from '../source/tree.ts'
import { checkAgents } from './agents.ts'
import { checkCalls } from './calls.ts'
import { Check } from './check.ts'
import { checkNames } from './names.ts'
import { checkSecrets } from './secrets.ts'

/** All that is wrong between parts whose shape is right. */
export function checkRelations(content: FileContent, root: Node): Problem[] {
  const check = new Check(content, root)
  checkNames(check)
  checkStandIns(check)
  checkAgents(check)
  checkCalls(check)
  checkSecrets(check)
  return check.problems
}

function checkStandIns(check: Check): void {
  const { development, environment } = check.content
  if (environment === 'production' && (development?.['stand-in'] ?? []).length > 0)
    check.report(['development', 'stand-in'], 'a stand-in cannot serve environment production')
}
