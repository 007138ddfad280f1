/** Writes the newest of many values: one write at a time, and of what comes meanwhile only the last. `write` must not reject. */
export function latest<T>(write: (value: T) => Promise<unknown>): (value: T) => void {
  let waiting: { value: T } | undefined
  let writing = false
  const drain = async () => {
    writing = true
    for (let next = waiting; next; next = waiting) {
      waiting = undefined
      await write(next.value)
    }
    writing = false
  }
  return (value) => {
    waiting = { value }
    if (!writing) void drain()
  }
}
