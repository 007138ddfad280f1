import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as z from 'zod'
import { ThreadboundClient } from '#lib/client'
import { OperatorAccess } from '#lib/http'
import { messageOf, RedisConfig } from '#lib/runtime'
import { CommandError, UsageError } from './errors.ts'

/** Options that say which cluster a command speaks to. */
export interface TargetOptions {
  data: string
  url?: string | undefined
  apiKeyFile?: string | undefined
}

/** Where a running cluster is. */
export interface Target {
  producer: ThreadboundClient
  traces?: { url: string; token?: string } | undefined
}

/** The part of `<data>/up.json` that the commands need. */
const UpState = z.object({
  producer: z.url(),
  apiKeyFile: z.string(),
  traces: z.url().optional(),
  tracesTokenFile: z.string().optional(),
  vault: z.url().optional(),
  vaultTokenFile: z.string().optional(),
  clusterFile: z.string().optional(),
  auditFile: z.string().optional(),
  auditRedis: RedisConfig.optional(),
  operator: OperatorAccess.optional(),
  rotator: OperatorAccess.optional(),
})
export type UpState = z.infer<typeof UpState>

/** Finds the cluster: `--url` with `--api-key-file`, else the one that `up` runs on the data directory. @throws CommandError */
export function findTarget(options: TargetOptions): Target {
  if (options.url !== undefined) {
    if (options.apiKeyFile === undefined) throw new UsageError('--url needs --api-key-file')
    if (!/^https?:$/.test(URL.parse(options.url)?.protocol ?? ''))
      throw new UsageError(`--url: expected an http or https URL, found "${options.url}"`)
    return { producer: client(options.url, options.apiKeyFile) }
  }
  const state = readState(options.data, 'give --url and --api-key-file')
  const traces = state.traces && {
    url: state.traces,
    ...(state.tracesTokenFile ? { token: readKey(state.tracesTokenFile) } : {}),
  }
  return {
    producer: client(state.producer, options.apiKeyFile ?? state.apiKeyFile),
    ...(traces ? { traces } : {}),
  }
}

function client(url: string, apiKeyFile: string): ThreadboundClient {
  return new ThreadboundClient({ url, apiKey: readKey(apiKeyFile) })
}

/** What `up` wrote of the cluster that it runs on a data directory. `otherwise`: what else to do without one. @throws CommandError */
export function readState(data: string, otherwise: string): UpState {
  const file = join(resolve(data), 'up.json')
  try {
    return UpState.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    const found = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not there' : 'cannot be used'
    throw new CommandError(
      `no running cluster: ${file} ${found}. Start one with "threadbound up", name its data directory with --data, or ${otherwise}`,
      { cause },
    )
  }
}

/** What a file that holds one credential says. @throws CommandError naming the file */
export function readKey(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new CommandError(`the key file cannot be read: ${messageOf(cause)}`, { cause })
  }
}
