/**
 * Contexts alone, without a queue: `node test/bench/contexts.ts [level] [runs]`. Figures depend on the machine and on
 * what else it does; not measured: grants, broker calls, receipts in Redis.
 */
import { agentOf, levels, openWorld } from '../support/contexts.ts'

const [level = levels[0]!, runs = '200'] = process.argv.slice(2) as [(typeof levels)[0]?, string?]
const middle = (all: number[]) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!.toFixed(1)

await using world = await openWorld({ level, source: agentOf('return 1'), spares: 4 })
const [load, toStarted, whole]: [number[], number[], number[]] = [[], [], []]
const one = async (at: number) => {
  const begin = performance.now()
  const { receipt } = await world.run({ at }, { started: () => toStarted.push(performance.now() - begin) })
  whole.push(performance.now() - begin)
  load.push(receipt.readyAt! - receipt.startedAt)
}
for (let at = 0; at < 20; at++) {
  await one(at)
  await new Promise((resolve) => setTimeout(resolve, 150))
}
process.stdout.write(`${level}, one at a time: start to loaded ${middle(load)} ms, `)
process.stdout.write(
  `acquire to started ${middle(toStarted)} ms, whole attempt with its end ${middle(whole)} ms\n`,
)
const begin = performance.now()
let next = 0
const lane = async () => {
  while (next++ < Number(runs)) await one(next)
}
await Promise.all([lane(), lane(), lane(), lane()])
process.stdout.write(
  `${level}, four at a time: ${((Number(runs) * 1000) / (performance.now() - begin)).toFixed(1)} runs/s\n`,
)
