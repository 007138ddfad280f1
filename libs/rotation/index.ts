/**
 * Rotation: a durable record per secret, the machine that advances it, and the providers that make and end keys.
 * O1: what a rotation is about to do at a provider is on record before it is done.
 * O2: whoever writes the record fences all others by check-and-set; no step is built on a record that has changed.
 * O3: a working key is live at every instant; the old one ends only after everyone who may hold it has ended.
 * O4: no key is ended that is not known to be of our making, or to be the one that was replaced.
 * O5: no value is in a record, a log line or an error.
 */
export { RotateAnswer, RotateCommand, RotationView, ScheduleCommand, SupplyCommand } from './commands.ts'
export {
  FencedError,
  KeyAwaitedError,
  KeyRefusedError,
  ProviderFailedError,
  RecordMalformedError,
  ReplacedError,
} from './errors.ts'
export { graceMsOf, type Holders } from './grace.ts'
export {
  type CreateRequest,
  type LastUse,
  type ListedKey,
  type ProviderKey,
  type RotationProvider,
} from './provider.ts'
export {
  CurrentRotation,
  HistoryEntry,
  maskKeyId,
  newRecord,
  RotationFailure,
  RotationRecord,
  RotationRequest,
  RotationState,
} from './record.ts'
export { AnthropicProvider, type AnthropicOptions } from './providers/anthropic.ts'
export {
  type CommandOptions,
  commandProvider,
  OPTIONAL_CALLS,
  type OptionalCall,
} from './providers/command.ts'
export { OpenAiProvider, type OpenAiOptions } from './providers/openai.ts'
export { PostgresProvider, type PostgresOptions } from './providers/postgres.ts'
export { type PostgresServer } from './providers/postgres-session.ts'
export { randomProvider } from './providers/random.ts'
export { suppliedProvider } from './providers/supplied.ts'
export { AppRoleProvider, type AppRoleOptions } from './providers/vault-approle.ts'
export { type CommandUser } from './providers/run-command.ts'
export {
  describeRotation,
  requestRotation,
  setSchedule,
  supplyKey,
  viewOf,
  whyNotSupplied,
} from './requests.ts'
export { Rotation, type RotationOptions, type Tended } from './rotation.ts'
export { type MaintenanceWindow, parseSchedule, type Schedule, ScheduleError } from './schedule.ts'
export { type LiveValue, type PendingValue, RotationStore, type StoreVault } from './store.ts'
export { type Limits, LIMITS, type ManagedSecret } from './work.ts'
