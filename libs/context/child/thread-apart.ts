/**
 * Takes away what reaches the other threads of the process without an address or by accident: names that all share,
 * and settings that hold for all. It is no wall: code that looks for a way out of a thread finds one.
 */
export function setApart(): void {
  const threads = process.getBuiltinModule('node:worker_threads') as unknown as Record<string, unknown>
  for (const name of ['BroadcastChannel', 'locks', 'postMessageToThread', 'parentPort', 'workerData'])
    threads[name] = undefined
  hide(globalThis, 'BroadcastChannel', undefined)
  hide(globalThis.navigator, 'locks', undefined)
  hide(process, 'report', undefined)
  hide(process, 'title', process.title)
  hide(process.getBuiltinModule('node:v8'), 'setFlagsFromString', refuse)
}

const hide = (of: object, name: string, value: unknown) =>
  Object.defineProperty(of, name, { value, writable: true, configurable: true, enumerable: true })

function refuse(): never {
  throw Object.assign(new Error('V8 flags hold for every thread'), { code: 'ERR_ACCESS_DENIED' })
}
