/** The order in which services stop, lower first: who takes work in, who does it, and last what they stand on. */
export const STOP_PHASE = {
  producer: 1,
  worker: 2,
  rotator: 3,
  sidecar: 4,
  console: 5,
  models: 6,
  traces: 7,
  vault: 8,
  postgres: 9,
  redis: 10,
} as const
