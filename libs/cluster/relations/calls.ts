import type { Check } from './check.ts'

/** `may-call`: every name is an agent type, and no chain of calls comes back to where it began. */
export function checkCalls(check: Check): void {
  const names = check.names('agents')
  for (const [caller, agent] of Object.entries(check.content.agents ?? {}))
    for (const callee of agent['may-call'] ?? [])
      if (!names.includes(callee)) {
        const path = ['agents', caller, 'may-call']
        check.report([...path, check.indexOf(path, callee)], check.unknownName('agent type', callee, names))
      }
  for (const cycle of cyclesOf(callsOf(check))) {
    const path = ['agents', cycle.at(-2)!, 'may-call']
    check.report([...path, check.indexOf(path, cycle.at(-1)!)], `calls in a circle: ${cycle.join(' -> ')}`)
  }
}

function callsOf(check: Check): Map<string, readonly string[]> {
  const agents = Object.entries(check.content.agents ?? {})
  return new Map(agents.map(([name, agent]) => [name, agent['may-call'] ?? []]))
}

/** One cycle for each call that closes one, found depth first; iterative, since a chain may be long. */
function cyclesOf(calls: Map<string, readonly string[]>): string[][] {
  const done = new Set<string>()
  const cycles: string[][] = []
  for (const start of calls.keys()) {
    const trail: { name: string; left: string[] }[] = []
    const enter = (name: string) => trail.push({ name, left: [...(calls.get(name) ?? [])] })
    if (!done.has(start)) enter(start)
    while (trail.length > 0) {
      const callee = trail.at(-1)!.left.shift()
      const closes = trail.findIndex(({ name }) => name === callee)
      if (callee === undefined) done.add(trail.pop()!.name)
      else if (closes >= 0) cycles.push([...trail.slice(closes).map(({ name }) => name), callee])
      else if (!done.has(callee)) enter(callee)
    }
  }
  return cycles
}
