import type { Capability, ParameterRules, PolicyRule } from './policy.ts'

/** What all policies of a token together say about one pattern. */
export interface Permissions {
  capabilities: Set<Capability>
  /** The names of the policies that grant each. */
  granting: Map<Capability, Set<string>>
  allowed: ParameterRules
  denied: ParameterRules
  required: Set<string>
  minWrapMs: number
  maxWrapMs: number
}

/** The permissions of one rule alone, as a copy that may be merged into. */
export function permissionsOf(rule: PolicyRule): Permissions {
  return {
    capabilities: new Set(rule.capabilities),
    granting: grantingOf(rule),
    allowed: new Map(rule.allowed),
    denied: new Map(rule.denied),
    required: new Set(rule.required),
    minWrapMs: rule.minWrapMs,
    maxWrapMs: rule.maxWrapMs,
  }
}

/** Adds another policy's rule for the same pattern: capabilities unite, any deny wins, wrapping limits take the smaller. */
export function mergeInto(known: Permissions, rule: PolicyRule): void {
  if (known.capabilities.has('deny')) return
  if (rule.capabilities.has('deny')) {
    known.capabilities = new Set(['deny'])
    return
  }
  for (const capability of rule.capabilities) known.capabilities.add(capability)
  for (const [capability, names] of grantingOf(rule))
    known.granting.set(capability, new Set([...(known.granting.get(capability) ?? []), ...names]))
  for (const name of rule.required) known.required.add(name)
  known.minWrapMs = smallerSet(known.minWrapMs, rule.minWrapMs)
  known.maxWrapMs = smallerSet(known.maxWrapMs, rule.maxWrapMs)
  mergeParameters(known.allowed, rule.allowed)
  mergeParameters(known.denied, rule.denied)
}

const grantingOf = ({ capabilities, policy }: PolicyRule) =>
  new Map([...capabilities].map((capability) => [capability, new Set(policy === undefined ? [] : [policy])]))

/** An empty list stands for every value, so it wins over any other. */
function mergeParameters(known: ParameterRules, added: ParameterRules): void {
  for (const [name, values] of added) {
    const before = known.get(name)
    const all = values.length === 0 || before?.length === 0
    known.set(name, all ? [] : [...values, ...(before ?? [])])
  }
}

const smallerSet = (a: number, b: number) => (a && b ? Math.min(a, b) : a || b)
