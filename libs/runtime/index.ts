/** What every process needs: configuration, log, lifecycle, errors, clock, durations and sizes. Imports no other lib. */
export { type Clock, systemClock } from './clock.ts'
export {
  ConfigError,
  configToEnv,
  loadConfig,
  readCredential,
  RedisConfig,
  TelemetryConfig,
} from './config.ts'
export { hashCredential, isSameHash } from './credential-hash.ts'
export { messageOf, PermanentError } from './errors.ts'
export { Level } from './level.ts'
export { announceReady, onDispose, untilSignal } from './lifecycle.ts'
export { createLog, type Log, silentLog } from './log.ts'
export { formatDuration, parseDurationMs, parseSizeBytes } from './quantities.ts'
