import { parseVaultDuration } from '../durations.ts'
import { isHclBody, parseHcl, type HclBody, type HclEntry, type HclValue } from './policy-hcl.ts'
import { jsonPolicyBody } from './policy-json.ts'

/** What a rule may grant. `deny` wipes out the rest. */
const CAPABILITIES = [
  'create',
  'read',
  'update',
  'patch',
  'delete',
  'list',
  'sudo',
  'deny',
  'scan',
  'subscribe',
  'recover',
] as const
export type Capability = (typeof CAPABILITIES)[number]

/** Which values a parameter may or may not have; an empty list stands for every value. Keys are in lower case. */
export type ParameterRules = Map<string, unknown[]>

/** One `path` block. `path` is the pattern as written, without a leading slash. */
export interface PolicyRule {
  path: string
  /** The name of the policy that it stands in. */
  policy?: string
  capabilities: Set<Capability>
  allowed: ParameterRules
  denied: ParameterRules
  required: string[]
  minWrapMs: number
  maxWrapMs: number
}

/** The text is no policy: the message says which path and key. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
}

const LEGACY: Record<string, Capability[]> = {
  deny: ['deny'],
  read: ['read', 'list'],
  write: ['create', 'read', 'update', 'delete', 'list'],
  sudo: ['create', 'read', 'update', 'delete', 'list', 'sudo'],
}
const RULE_KEYS = new Set([
  'comment',
  'policy',
  'capabilities',
  'allowed_parameters',
  'denied_parameters',
  'required_parameters',
  'min_wrapping_ttl',
  'max_wrapping_ttl',
])

/**
 * Parses a policy, HCL or JSON.
 * A rule whose path is a template is left out: the dev Vault has no identities, and so no template can resolve.
 * @throws PolicyError | HclSyntaxError
 */
export function parsePolicy(text: string): PolicyRule[] {
  const body = jsonPolicyBody(text) ?? parseHcl(text)
  const rules: PolicyRule[] = []
  for (const entry of body.entries) {
    if (entry.key === 'name') continue
    if (entry.key !== 'path') throw new PolicyError(`invalid key "${entry.key}" on line ${entry.line}`)
    for (const [path, rule] of pathsOf(entry)) if (!path.includes('{{')) rules.push(parseRule(path, rule))
  }
  return rules
}

/** `path "a" {…}`, or the assignment `path = { "a" = {…} }` and its JSON sister. */
function pathsOf(entry: HclEntry): [string, HclBody][] {
  if (Array.isArray(entry.value)) return entry.value.flatMap((value) => pathsOf({ ...entry, value }))
  if (!isHclBody(entry.value)) throw new PolicyError('"path" must be a block')
  if (entry.labels.length === 1) return [[entry.labels[0]!, entry.value]]
  if (entry.labels.length > 1) throw new PolicyError('"path" takes one label')
  return entry.value.entries.map(({ key, value }) => {
    if (!isHclBody(value)) throw new PolicyError(`path "${key}": expected an object`)
    return [key, value]
  })
}

function parseRule(written: string, body: HclBody): PolicyRule {
  const path = written.startsWith('/') ? written.slice(1) : written
  if (path.includes('+*'))
    throw new PolicyError(`path "${path}": invalid use of wildcards ('+*' is forbidden)`)
  const values = valuesOf(path, body)
  const rule: PolicyRule = {
    path,
    capabilities: capabilitiesOf(path, values),
    allowed: parametersOf(path, 'allowed_parameters', values),
    denied: parametersOf(path, 'denied_parameters', values),
    required: strings(path, 'required_parameters', values),
    minWrapMs: durationOf('min_wrapping_ttl', values),
    maxWrapMs: durationOf('max_wrapping_ttl', values),
  }
  if (rule.minWrapMs && rule.maxWrapMs && rule.maxWrapMs < rule.minWrapMs)
    throw new PolicyError('max_wrapping_ttl cannot be less than min_wrapping_ttl')
  return rule
}

function valuesOf(path: string, body: HclBody): Map<string, HclValue> {
  for (const { key, line } of body.entries)
    if (!RULE_KEYS.has(key)) throw new PolicyError(`path "${path}": invalid key "${key}" on line ${line}`)
  return new Map(body.entries.map(({ key, value }) => [key, value]))
}

function capabilitiesOf(path: string, values: Map<string, HclValue>): Set<Capability> {
  const legacy = values.get('policy')
  const granted = new Set<Capability>()
  if (legacy !== undefined) {
    if (typeof legacy !== 'string' || !Object.hasOwn(LEGACY, legacy))
      throw new PolicyError(`path "${path}": invalid policy ${JSON.stringify(legacy)}`)
    for (const capability of LEGACY[legacy]!) granted.add(capability)
  }
  for (const name of strings(path, 'capabilities', values)) {
    if (!isCapability(name)) throw new PolicyError(`path "${path}": invalid capability "${name}"`)
    granted.add(name)
  }
  return granted.has('deny') ? new Set(['deny']) : granted
}

const isCapability = (name: string): name is Capability => (CAPABILITIES as readonly string[]).includes(name)

function strings(path: string, key: string, values: Map<string, HclValue>): string[] {
  const value = values.get(key) ?? []
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw new PolicyError(`path "${path}": "${key}" must be a list of strings`)
  return value
}

function parametersOf(path: string, key: string, values: Map<string, HclValue>): ParameterRules {
  const value = values.get(key)
  if (value === undefined) return new Map()
  if (!isHclBody(value)) throw new PolicyError(`path "${path}": "${key}" must be an object`)
  return new Map(
    value.entries.map((entry) => {
      if (!Array.isArray(entry.value))
        throw new PolicyError(`path "${path}": "${key}"."${entry.key}" must be a list`)
      return [entry.key.toLowerCase(), entry.value]
    }),
  )
}

function durationOf(key: string, values: Map<string, HclValue>): number {
  const ms = parseVaultDuration(values.get(key) ?? 0)
  if (ms === undefined) throw new PolicyError(`error parsing ${key}: expected a duration`)
  return ms
}
