import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { StartCommand } from '#lib/context'
import { BROKER_CONNECTIONS } from '#lib/wire'
import { connectFor } from './connect.ts'
import type { Room } from './room.ts'

/** Connects descriptors 3 to 7 of a context, before it exists and before any attempt is known. */
export async function connectAll(room: Room, context: string): Promise<(Socket | 'ignore')[]> {
  const { brokerSocket } = room
  const toSidecar = Array.from({ length: BROKER_CONNECTIONS }, () =>
    brokerSocket ? connectFor(brokerSocket, { role: 'context', context }) : ('ignore' as const),
  )
  const all = await Promise.allSettled([connectFor(room.contextSocket, { context }), ...toSidecar])
  const sockets = all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = all.find((one) => one.status === 'rejected')
  if (!failed) return sockets
  closeAll(sockets)
  throw failed.reason
}

/** The same command, started by other programs that hand over to it. */
export function through(starter: string[], command: StartCommand): StartCommand {
  const [file, ...args] = [...starter, command.file, ...command.args]
  return { ...command, file: file!, args }
}

/** Spawns the context with its connections and gives up our ends of them. */
export function spawnContext(
  command: StartCommand,
  sockets: (Socket | 'ignore')[],
  entry: string,
): ChildProcess {
  try {
    const child = spawn(command.file, command.args, {
      stdio: ['pipe', 'pipe', 'pipe', ...sockets, ...command.fds],
      env: {},
      cwd: '/',
      ...(command.runAs === undefined ? {} : { uid: command.runAs, gid: command.runAs }),
    })
    child.on('error', () => {})
    child.stdin?.on('error', () => {}).end(entry)
    return child
  } finally {
    for (const fd of command.fds) if (typeof fd === 'number') closeSync(fd)
    closeAll(sockets)
  }
}

/** The first process of the context: what was spawned, or what bubblewrap says it made. */
export async function firstPid(child: ChildProcess, statusFd: number | undefined): Promise<number> {
  if (child.pid === undefined) throw new Error('the program that starts contexts cannot be run')
  if (statusFd === undefined) return child.pid
  let status = ''
  for await (const chunk of (child.stdio[statusFd] as Readable).iterator({ destroyOnReturn: false })) {
    status += String(chunk)
    const pid = /"child-pid":\s*(\d+)/.exec(status)?.[1]
    if (pid) return Number(pid)
  }
  throw new Error('bubblewrap ended before it made a context')
}

function closeAll(sockets: (Socket | 'ignore')[]): void {
  for (const socket of sockets) if (socket !== 'ignore') socket.destroy()
}
