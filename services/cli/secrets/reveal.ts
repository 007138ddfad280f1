import { closeSync, openSync, rmSync } from 'node:fs'
import { AuditLog } from '#lib/audit'
import { messageOf, onDispose } from '#lib/runtime'
import { CommandError, UsageError } from '../errors.ts'
import type { VaultTarget } from '../vault-target.ts'
import { operatorName } from '../operator-socket.ts'
import { SidecarOperator } from './sidecar.ts'

/** A value that is about to be shown. */
export interface Reveal {
  secret: string
  generation: number
  /** Of the answer of Vault's that holds the value. */
  vaultRequest?: string | undefined
  /** Where it is put on record when no cluster runs that has an audit log. */
  auditFile?: string | undefined
}

/**
 * Puts on record that a value is shown, before it is: in the cluster's audit log by its sidecar, which alone writes that
 * one; for a Vault outside in a log of one's own. @throws CommandError: then it must not be shown
 */
export async function recordReveal({ operator }: VaultTarget, { auditFile, ...act }: Reveal): Promise<void> {
  if (auditFile !== undefined) return recordInFile(auditFile, act)
  if (!operator)
    throw new UsageError(
      '--reveal needs --audit-file: no sidecar is named here whose audit log would have it on record',
    )
  await new SidecarOperator(operator).record({ action: 'reveal', ...act }).catch((cause: unknown) => {
    throw new CommandError(`what cannot be put on record is not shown: ${messageOf(cause)}`, { cause })
  })
}

async function recordInFile(file: string, act: Omit<Reveal, 'auditFile'>): Promise<void> {
  try {
    await using _lock = lockFor(file)
    await using audit = await AuditLog.open({ file })
    await audit.record({ action: 'reveal', outcome: 'allowed', operator: operatorName(), ...act })
  } catch (cause) {
    throw new CommandError(`what cannot be put on record is not shown: ${messageOf(cause)}`, { cause })
  }
}

/** One process at a time writes an audit log. */
function lockFor(file: string): AsyncDisposable {
  const lock = `${file}.lock`
  closeSync(openSync(lock, 'wx', 0o600))
  return onDispose(() => rmSync(lock, { force: true }))
}
