/**
 * What every process needs: configuration, log, lifecycle, errors, alerts, clock, durations, sizes, levels. Imports no other lib.
 *
 * 1. A service reads its configuration from `TB_*` variables that its schema names, and from no others.
 * 2. A credential is a file; no error and no log line holds what is in it.
 * 3. The first signal asks to end, the second ends at once; the supervisor's end is a first signal.
 */
export { Alert, Severity } from './alert.ts'
export { type Clock, slept, steadyClock, systemClock } from './clock.ts'
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
export { quietExperiments } from './quiet.ts'
export { repeatEvery } from './repeat.ts'
