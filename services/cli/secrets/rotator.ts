import { RotateAnswer, RotationView } from '#lib/rotation'
import { CommandError } from '../errors.ts'
import { OperatorSocket, operatorName } from '../operator-socket.ts'
import type { VaultTarget } from '../vault-target.ts'

/** The rotator of a cluster, as an operator's command speaks to it. All methods throw CommandError. */
export class RotatorOperator {
  readonly #socket: OperatorSocket

  constructor({ rotator }: Pick<VaultTarget, 'rotator'>) {
    if (!rotator)
      throw new CommandError(
        'rotate speaks to a rotator: name the data directory of its cluster with --data, or its TB_ROTATOR_SOCKET',
      )
    this.#socket = new OperatorSocket('rotator', rotator)
  }

  /** Asks for a rotation now; `dryRun`: only says what it would do. */
  async rotate(command: { secret: string; revokeOld: boolean; dryRun: boolean }): Promise<RotateAnswer> {
    const body = { ...command, operator: operatorName() }
    return RotateAnswer.parse(await this.#socket.ask('POST', '/v1/rotations', body))
  }

  /** Supplies the new key of a provider that makes none by itself, and with it asks for the rotation. */
  async supply(command: { secret: string; value: string; keyId?: string }): Promise<RotateAnswer> {
    const body = { ...command, operator: operatorName() }
    return RotateAnswer.parse(await this.#socket.ask('POST', '/v1/keys', body))
  }

  /** Puts a schedule in place of the cluster file's; null: the file's again. */
  async schedule(secret: string, every: string | null): Promise<RotationView> {
    const body = { secret, every, operator: operatorName() }
    return RotationView.parse(await this.#socket.ask('PUT', '/v1/schedules', body))
  }
}
