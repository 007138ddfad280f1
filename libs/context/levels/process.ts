import type { LoadLimits } from '#lib/wire'
import { SETPRIV, UNSHARE } from './tools.ts'
import { nodeArguments, type StartCommand, type Walls } from './walls.ts'

/**
 * Level `process`, as root: a uid and gid of its own, no groups, no capability to gain, an empty network namespace and
 * no System V objects of others; Node's permission model on top. Two setpriv: changing the uid clears the signal that
 * `--pdeathsig` asks for.
 */
export class ProcessWalls implements Walls {
  readonly level = 'process'
  readonly sharesUid = false
  readonly diskBytes = { value: 0, by: 'own-uid' } as const
  readonly #node: string

  /** `node`: the binary at a path that every uid can reach. */
  constructor(node: string) {
    this.#node = node
  }

  command(limits: LoadLimits, uid: number): StartCommand {
    const identity = ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups']
    const capabilities = ['--bounding-set=-all', '--inh-caps=-all']
    const become = [SETPRIV, ...identity, ...capabilities]
    const bind = [SETPRIV, '--no-new-privs', '--pdeathsig', 'KILL']
    return {
      file: UNSHARE,
      args: ['--net', '--ipc', ...become, ...bind, this.#node, ...nodeArguments(limits, [])],
      fds: [],
    }
  }
}
