import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import type { LoadLimits } from '#lib/wire'
import { librariesOf } from './libraries.ts'
import { seccompFilter } from './seccomp.ts'
import type { StarterPlan } from './starter.ts'
import { nodeArguments, type StartCommand, type Walls } from './walls.ts'

/**
 * Level `process` without root: the context has our own uid, so that Landlock and seccomp must keep it from everything
 * else of that uid: its files, memory, environments, signals, limits. Both are there before the context's first
 * instruction, and nothing takes them off again.
 */

/** Signals are in Landlock's reach from ABI 6 on (Linux 6.12). */
export const LANDLOCK_ABI = 6
/** The same numbers on x64 and arm64. */
const SYSCALLS = { createRuleset: 444, addRule: 445, restrictSelf: 446 }
/** Node ends where its OpenSSL has a settings file and cannot read it. A context needs none; what it starts may want this. */
const OPENSSL_FILE = '/etc/ssl/openssl.cnf'
const NO_OPENSSL_FILE = '--openssl-config=/dev/null'
const EXECUTE = 1
const WRITE_FILE = 2
const READ_FILE = 4
const READ_DIR = 8

/** Walls of Landlock and seccomp. */
export class LandlockWalls implements Walls {
  readonly level = 'process'
  readonly sharesUid = true
  readonly diskBytes = { value: 0, by: 'landlock' } as const
  readonly #starters: { threadsOnly: string; processes: string }

  /** `folder`: ours alone, for the starter's code. */
  constructor(folder: string) {
    const code = stripTypeScriptTypes(readFileSync(new URL('./starter.ts', import.meta.url), 'utf8'))
    const write = (name: string, threadsOnly: boolean) => {
      const file = join(folder, name)
      const plan = JSON.stringify(planOf(threadsOnly))
      writeFileSync(file, `const PLAN = ${plan}\n${code}`, { mode: 0o600 })
      return file
    }
    this.#starters = {
      threadsOnly: write('threads.mjs', true),
      processes: write('processes.mjs', false),
    }
  }

  command(limits: LoadLimits): StartCommand {
    const starter = limits.childProcess ? this.#starters.processes : this.#starters.threadsOnly
    return {
      file: process.execPath,
      args: ['--no-warnings', '--disable-sigusr1', starter, NO_OPENSSL_FILE, ...nodeArguments(limits, [])],
      fds: [],
    }
  }
}

/** The context's own /proc shows a process itself; none of others can be opened. */
function planOf(threadsOnly: boolean): StarterPlan {
  const node = process.execPath
  const settings = existsSync(OPENSSL_FILE) ? [{ path: OPENSSL_FILE, rights: READ_FILE }] : []
  const programs = [node, ...librariesOf(node)].map((path) => ({ path, rights: EXECUTE | READ_FILE }))
  return {
    filter: seccompFilter(process.arch, { sameUid: true, threadsOnly }).toString('base64'),
    paths: [
      ...programs,
      ...settings,
      { path: '/dev/null', rights: READ_FILE | WRITE_FILE },
      { path: '/proc/self', rights: READ_FILE | READ_DIR },
    ],
    syscalls: SYSCALLS,
  }
}
