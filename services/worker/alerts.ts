import { AgentBuildError, LevelUnavailableError } from '#lib/context'
import type { RaiseAlert } from '#lib/queue'
import { messageOf } from '#lib/runtime'
import { HandlerError } from './errors.ts'

/** Raises an alert for a start that failed in a way that starting again does not cure. */
export async function alertOfStart(raise: RaiseAlert, error: unknown): Promise<void> {
  const labels = { error: messageOf(error) }
  if (error instanceof HandlerError || error instanceof AgentBuildError)
    await raise('agent-load-failed', 'critical', labels)
  if (error instanceof LevelUnavailableError) await raise('level-unavailable', 'critical', labels)
}
