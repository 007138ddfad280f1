/** The cluster that the containers run: it lies in the image. */
export const CLUSTER_FILE = 'deploy/demo/threadbound.yaml'

/** What services read in place of it: the same with the addresses of the containers. */
export const RESOLVED_FILE = '/cluster/resolved.json'

/** Numeric users of the containers, as docker-compose.yml and the official images name them. */
export const USERS = {
  root: 0,
  vault: 100,
  redis: 999,
  postgres: 999,
  producer: 2001,
  console: 2002,
  sidecar: 2003,
  models: 2005,
} as const
