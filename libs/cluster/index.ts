/**
 * The cluster file: one strict description of agent types, models, secrets and alerts, as typed values.
 * C1: a cluster that was returned is valid whole; nothing is returned from a file with a problem.
 * C2: all problems are told at once, each with its place; what can be judged beside a broken part is judged.
 * C3: no error repeats a secret value, and a file that holds one is refused.
 * C4: nothing but ClusterFileError is thrown, whatever the file holds.
 */
export { ClusterFileError, formatProblems, type Problem } from './errors.ts'
export { type Files } from './handlers.ts'
export { loadCluster } from './load.ts'
export type {
  AgentType,
  Alerts,
  Cluster,
  Connect,
  Egress,
  ModelProvider,
  ModelRoute,
  Rotation,
  Secret,
  SecretCache,
} from './model.ts'
export { parseCluster, type ParseOptions } from './parse.ts'
export { levelFault } from './relations/trust.ts'
export { writeResolvedCluster } from './resolved.ts'
export { cacheOf, modelRoute, secretKind, usableSecrets } from './routes.ts'
export { type ClusterKey, clusterKeys } from './schema/keys.ts'
export { nameFault } from './schema/scalars.ts'
export { didYouMean } from './source/suggest.ts'
export { type VaultNeeds, vaultNeeds } from './vault-needs.ts'
