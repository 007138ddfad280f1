import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { RedisUser } from '#lib/queue'
import type { Ground } from './ground.ts'
import type { ServiceName } from './service-users.ts'
import type { Stage } from './stage.ts'

type RedisService = Extract<RedisUser, ServiceName>

/** What every service of ours is told, in files that it can read. */
export function common(
  { ownership }: Stage,
  { clusterFile, ground }: { clusterFile: string; ground: Ground },
  service: RedisService,
) {
  const { redis, telemetry } = ground
  const { passwordFile, ...access } = redis(service)
  const give = (file: string | undefined) => file && ownership.give(service, file)
  return {
    clusterFile: ownership.give(service, clusterFile),
    redis: { ...access, passwordFile: give(passwordFile) },
    telemetry: { ...telemetry, tokenFile: give(telemetry.tokenFile) },
  }
}

/** A directory that others may pass through but not read. */
export function passableDirectory(...path: string[]): string {
  const directory = join(...path)
  mkdirSync(directory, { recursive: true })
  chmodSync(directory, 0o711)
  return directory
}
