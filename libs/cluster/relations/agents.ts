import { BUILT_IN, BUILT_IN_SECRETS } from '../builtin.ts'
import { possibleRoutes, settingsOf } from '../resolve.ts'
import { matchRoute } from '../routes.ts'
import type { AgentContent } from '../schema/file.ts'
import { printable } from '../source/printable.ts'
import { nearest } from '../source/suggest.ts'
import type { Check } from './check.ts'
import { rotatorsReason } from './secrets.ts'
import { trustFault } from './trust.ts'

/** What an agent type says must fit together, and fit the secrets and models of the cluster. */
export function checkAgents(check: Check): void {
  for (const [name, agent] of Object.entries(check.content.agents ?? {})) {
    checkSingleton(check, name, agent)
    checkPrompt(check, name)
    checkModel(check, name, agent)
    checkSecrets(check, name, agent)
    checkTrust(check, name, agent)
  }
}

function checkSingleton(check: Check, name: string, agent: AgentContent): void {
  const path = ['agents', name, 'max-concurrency']
  if (agent.type === 'singleton' && check.wrote(path))
    check.reportKey(path, 'a singleton runs one attempt at a time; take max-concurrency out')
}

function checkPrompt(check: Check, name: string): void {
  const [handler, system, model] = ['handler', 'system', 'model'].map((key) =>
    check.wrote(['agents', name, key]),
  )
  if (handler && system)
    check.reportKey(
      ['agents', name, 'system'],
      'is for the built-in prompt agent; expected no system beside a handler',
    )
  if (!handler && !model)
    check.reportKey(['agents', name], 'expected a model (for the built-in prompt agent) or a handler')
}

function checkModel(check: Check, name: string, { model }: AgentContent): void {
  const routes = possibleRoutes(check.content)
  const broken = check
    .names('models')
    .filter((pattern) => !Object.hasOwn(check.content.models ?? {}, pattern))
  const couldBe = broken.map((pattern) => ({ pattern, provider: 'openai' as const, secret: '' }))
  if (model === undefined || matchRoute([...routes, ...couldBe], model)) return
  const begins = routes
    .map(({ pattern }) => pattern)
    .find((pattern) => nearest(model.slice(0, pattern.length - 1), [pattern.slice(0, -1)]))
  const hint = begins ? `; did you mean a name like "${printable(begins)}"?` : ''
  check.report(
    ['agents', name, 'model'],
    `no provider serves the model "${printable(model)}"; expected one that models declares, or ${routes.map(({ pattern }) => pattern).join(', ')}${hint}`,
  )
}

function checkSecrets(check: Check, name: string, agent: AgentContent): void {
  const known = check.names('secrets')
  const path = ['agents', name, 'secrets']
  for (const secret of agent.secrets ?? []) {
    const at = [...path, check.indexOf(path, secret)]
    const reason = rotatorsReason(check, secret)
    if (!known.includes(secret) && !Object.hasOwn(BUILT_IN_SECRETS, secret))
      check.report(at, check.unknownName('secret', secret, [...known, ...Object.keys(BUILT_IN_SECRETS)]))
    else if (reason) check.report(at, `"${secret}" ${reason}; no agent may list it`)
  }
}

function checkTrust(check: Check, name: string, agent: AgentContent): void {
  const settings = settingsOf(check.content, agent)
  const fault = trustFault({
    isolation: settings.isolation ?? BUILT_IN.isolation,
    trustedCode: settings['trusted-code'] ?? check.wrote(['agents', name, 'trusted-code']),
    ownCode: check.wrote(['agents', name, 'handler']),
    uses: {
      secrets: (settings.secrets ?? []).length > 0,
      'may-call': (settings['may-call'] ?? []).length > 0,
      'a model': settings.model !== undefined,
    },
  })
  const own = ['agents', name, 'isolation']
  if (fault) check.report(check.wrote(own) ? own : ['agents', name], fault)
}
