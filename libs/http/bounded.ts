/** Takes the oldest entry out of a map that has grown past `limit` by one. */
export function dropOldest(map: Map<string, unknown>, limit: number): void {
  const [oldest] = map.keys()
  if (map.size > limit) map.delete(oldest!)
}
