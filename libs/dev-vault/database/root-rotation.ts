import { messageOf } from '#lib/runtime'
import { badRequest, oneError, VaultRefusal } from '../errors.ts'
import type { DatabaseConfig } from './database-config.ts'
import type { SqlExecutor } from './sql-executor.ts'
import { fillIn, newPassword, passwordChangeOf } from './statements.ts'

/**
 * Changes the password of the connection itself, so that nobody but the Vault knows it. After an error it is tried out
 * which of both passwords counts, since the COMMIT may have arrived.
 * @throws VaultRefusal
 */
export async function rotateRoot(config: DatabaseConfig, executor: SqlExecutor): Promise<void> {
  const before = { ...config.connection }
  if (before.user === '' || before.password === '')
    throw badRequest('unable to rotate root credentials: no username or password in configuration')
  const password = newPassword()
  const values = { name: before.user, password }
  const own = config.rootRotation.map((statement) => fillIn(statement, values))
  const statements = own.length > 0 ? own : passwordChangeOf(before.user, password)
  const after = { ...before, password }
  await executor.run(before, statements, { atomic: true }).catch(async (cause: unknown) => {
    if (await answers(executor, after)) return
    const text = messageOf(cause).replaceAll(password, '[password]')
    throw new VaultRefusal(500, oneError(`failed to update user: ${text}`))
  })
  config.connection = after
  await executor.forget(before)
}

const answers = (executor: SqlExecutor, connection: DatabaseConfig['connection']) =>
  executor.run(connection, ['SELECT 1'], { atomic: false }).then(
    () => true,
    () => false,
  )
