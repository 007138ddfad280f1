/** The order in which services stop, lower first: who takes work in, who does it, and last what they stand on. */
export const STOP_PHASE = {
  producer: 1,
  worker: 2,
  sidecar: 3,
  console: 4,
  models: 5,
  traces: 6,
  vault: 7,
  postgres: 8,
  redis: 9,
} as const
