/** Process supervision without any knowledge of the services: start, readiness, restart, ordered stop, no leftovers. */
export { Backoff } from './backoff.ts'
export { ServiceNotReadyError, StoppingError } from './errors.ts'
export { type Facts, type Launch, type RunAs } from './launch.ts'
export { Supervisor, type SupervisedSpec, type SupervisorOptions } from './supervisor.ts'
