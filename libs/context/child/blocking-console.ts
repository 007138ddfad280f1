/** What `process.stdout` is here, beyond its type: it has a handle that can be made to wait. */
interface Handled {
  _handle?: { setBlocking?(on: boolean): void }
}

/**
 * Makes console output wait until the launcher has read it. Otherwise code that never yields would pile it up in memory
 * instead of meeting the output limit, and a process that exits would lose its last lines. The streams stay lazy.
 */
export function makeConsoleBlocking(): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const own = Object.getOwnPropertyDescriptor(process, name)!
    let stream: NodeJS.WriteStream | undefined
    const open = () => {
      const opened = own.get!.call(process) as NodeJS.WriteStream
      ;(opened as Handled)._handle?.setBlocking?.(true)
      return opened
    }
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get: () => (stream ??= open()),
    })
  }
}
