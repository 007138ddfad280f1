/** Run by a test as a uid that is not root: three attempts at level namespace, their ends as JSON on stdout. */
import { agentOf, openWorld } from './contexts.ts'

const source = agentOf(`
  if (input.do === 'buffers') { const all = []; for (;;) all.push(Buffer.alloc(4e6, 1)) }
  if (input.do === 'heap') { const all: any[] = []; for (;;) all.push({ a: [1, 2, 3] }) }
  return process.getuid!()
`)
await using world = await openWorld({ level: 'namespace', source })
const ends = [await world.run({}), await world.run({ do: 'buffers' }), await world.run({ do: 'heap' })]
process.stdout.write(
  JSON.stringify(ends.map(({ outcome, error, result, receipt }) => ({ outcome, error, result, receipt }))),
)
