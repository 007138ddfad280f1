import { Command, Option } from 'commander'
import { Level } from '#lib/runtime'
import type { EnqueueFlags } from './commands/requests.ts'
import type { UpFlags } from './commands/up.ts'
import type { TargetOptions } from './target.ts'

interface JsonFlag {
  json?: boolean
}
type Flags = TargetOptions & JsonFlag

const DEFAULT_PORT = '7420'
const DEFAULT_DATA = '.threadbound'

/** The whole command: names, options, help. Parsing errors are thrown, not exited on. */
export function createProgram(): Command {
  const program = new Command('threadbound')
    .description('Every request to an AI agent in its own fresh, limited, disposable context')
    .exitOverride()
    .showSuggestionAfterError()
  running(program)
  requests(program)
  return program
}

function running(program: Command): void {
  const isolation = new Option('--isolation <level>', 'for all agent types').choices(Level.options)
  json(program.command('up'))
    .description('start a cluster on this machine, until Ctrl-C')
    .option('--cluster <file>', 'cluster file (default: ./threadbound.yaml, else the demo)')
    .option('--data <dir>', 'data directory', DEFAULT_DATA)
    .option('--port <n>', "the producer's port; the console takes the next; 0: any free ones", DEFAULT_PORT)
    .addOption(isolation)
    .action(async (flags: UpFlags) => (await load.up()).up(flags))
  json(program.command('demo'))
    .description('run the demo requests through a cluster of their own')
    .action(async (flags: JsonFlag) => (await load.demo()).demo(flags))
  json(program.command('check'))
    .description('validate a cluster file')
    .argument('<file>')
    .action(async (file: string, flags: JsonFlag) => (await load.check()).check(file, flags))
}

/** Loads a command when it runs: each brings libraries that the others need not wait for. */
const load = {
  up: () => import('./commands/up.ts'),
  demo: () => import('./commands/demo.ts'),
  check: () => import('./commands/check.ts'),
  requests: () => import('./commands/requests.ts'),
  trace: () => import('./commands/trace.ts'),
  agents: () => import('./commands/agents.ts'),
}

function requests(program: Command): void {
  target(program.command('enqueue'))
    .description('post a request to an agent type')
    .argument('<agent>')
    .requiredOption('--input <json>', 'JSON, @FILE, or - for stdin')
    .option('--wait', 'wait for its end')
    .option('--timeout <duration>', 'how long to wait', '60s')
    .action(async (agent: string, flags: EnqueueFlags) => (await load.requests()).enqueue(agent, flags))
  target(program.command('request'))
    .description('show a request')
    .argument('<id>')
    .action(async (id: string, flags: Flags) => (await load.requests()).request(id, flags))
  target(program.command('trace'))
    .description('show the span tree of a request or a trace')
    .argument('<id>', 'request id or trace id')
    .action(async (id: string, flags: Flags) => (await load.trace()).trace(id, flags))
  target(program.command('agents'))
    .description('show the agent types')
    .action(async (flags: Flags) => (await load.agents()).agents(flags))
}

const json = (command: Command) => command.option('--json', 'JSON on stdout')
const target = (command: Command) =>
  json(command)
    .option('--data <dir>', 'data directory of the running cluster', DEFAULT_DATA)
    .option('--url <url>', "the producer's address")
    .option('--api-key-file <file>', 'file with the API key')
