/** Run by a test on a host that is less than this one: opens contexts at a level, and prints the error if it cannot. */
import type { Level } from '#lib/wire'
import { agentOf, openWorld } from './contexts.ts'

try {
  await using _world = await openWorld({ level: process.argv[2] as Level, source: agentOf('return 1') })
} catch (error) {
  const { name, message } = error as Error
  process.stdout.write(JSON.stringify({ name, message }))
}
