/**
 * Contexts: where one attempt runs, once. Bundles agents, starts contexts through a launcher, runs attempts in them and
 * says how they ended; and what the launcher builds walls of.
 * I1: no request has entered a context before the one it is given to. I3: a level that the host cannot give is refused.
 */
export { type Bundle, bundleAgent, type BundleOptions, buildChildEntry, buildHostEntry } from './bundle.ts'
export type { AttemptEvents, AttemptInput } from './attempt.ts'
export { Context } from './context.ts'
export type { ContextLimits } from './context-options.ts'
export {
  AgentBuildError,
  AgentLoadError,
  ContextStartError,
  LauncherGoneError,
  LevelUnavailableError,
  ProtocolViolation,
} from './errors.ts'
export { FramedSocket } from '#lib/wire'
export { Keeper, type Kept } from './levels/keeper.ts'
export { LandlockWalls } from './levels/landlock.ts'
export { NamespaceWalls } from './levels/namespace.ts'
export { type LevelReport, probeLevels } from './levels/probe.ts'
export { isAlive, processesOf } from './levels/proc.ts'
export { ProcessWalls } from './levels/process.ts'
export { launcherFilter } from './levels/seccomp.ts'
export { hostCommand, type HostCommandOptions, threadArguments } from './levels/thread.ts'
export { IPCRM, isProgram, MOUNT, PRLIMIT, SETPRIV, UNSHARE } from './levels/tools.ts'
export {
  claimByName,
  contextUidRange,
  serviceUidRange,
  UIDS,
  type UidsLeft,
  uidsLeft,
  UidSource,
} from './levels/uids.ts'
export { type StartCommand, type Walls, withoutPermissionModel } from './levels/walls.ts'
export { limitsInForce } from './limits-in-force.ts'
export { LauncherLink, type LauncherOptions, openLauncher } from './link.ts'
export type { AttemptEnd } from './outcome.ts'
export { ContextPool, type LoadEvents, type PoolOptions } from './pool.ts'
export { FromHostSchema, LauncherConfigSchema, ToLauncherSchema } from './schemas.ts'
export { fixedSpares, type SparePolicy, SpareSizing, type SpareSizingOptions } from './spare-sizing.ts'
export { abortedBy } from './stopper.ts'
