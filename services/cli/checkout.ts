import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CommandError } from './errors.ts'

/** What only a checkout has: services are TypeScript, which Node refuses under node_modules. */
export interface Checkout {
  /** The program that starts a cluster. */
  up: string
  demo: { cluster: string; requests: string }
}

/** The checkout that this command runs from. @throws CommandError in an installed package */
export function checkout(): Checkout {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const up = join(root, 'services/dev/main.ts')
  if (!existsSync(up))
    throw new CommandError('this command starts services, so it needs a checkout: git clone, npm start')
  const demo = join(root, 'deploy/demo')
  return { up, demo: { cluster: join(demo, 'threadbound.yaml'), requests: join(demo, 'requests.jsonl') } }
}

/** The cluster file that `up` takes when none is named: the one in this folder, else the demo's. */
export function defaultClusterFile(): string {
  const own = resolve('threadbound.yaml')
  return existsSync(own) ? own : checkout().demo.cluster
}
