import type { Level } from '#lib/runtime'
import type { AgentType } from '../model.ts'

/** What decides whether an agent type may run at a level. */
interface Trust {
  isolation: Level
  trustedCode: boolean
  /** It has a handler: the built-in prompt agent is the project's own code. */
  ownCode: boolean
  uses: { secrets: boolean; 'may-call': boolean; 'a model': boolean }
}

/**
 * Why an agent type may not run at this level; undefined when it may. Threads share a process, so code in one can
 * reach the grants of its neighbours: there, code that may use anything must be trusted.
 */
export function trustFault({ isolation, trustedCode, ownCode, uses }: Trust): string | undefined {
  if (isolation !== 'thread' || trustedCode || !ownCode) return undefined
  const used = Object.entries(uses).flatMap(([what, does]) => (does ? [what] : []))
  if (used.length === 0) return undefined
  return `level thread with ${used.join(' and ')} is for trusted code only; write "trusted-code: true", or a stronger isolation`
}

/** Why an agent type of a cluster may not run at another level than its own, as `up --isolation` asks. */
export function levelFault(agent: AgentType, isolation: Level): string | undefined {
  return trustFault({
    isolation,
    trustedCode: agent.trustedCode,
    ownCode: agent.handler !== undefined,
    uses: {
      secrets: agent.secrets.length > 0,
      'may-call': agent.mayCall.length > 0,
      'a model': agent.model !== undefined,
    },
  })
}
