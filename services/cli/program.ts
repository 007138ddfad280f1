import { Command, Option } from 'commander'
import { agents } from './commands/agents.ts'
import { check } from './commands/check.ts'
import { enqueue, request } from './commands/requests.ts'
import { trace } from './commands/trace.ts'
import { up } from './commands/up.ts'

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
  const isolation = new Option('--isolation <level>', 'for all agent types').choices([
    'thread',
    'process',
    'namespace',
  ])
  json(program.command('up'))
    .description('start a cluster on this machine, until Ctrl-C')
    .option('--cluster <file>', 'cluster file (default: ./threadbound.yaml, else the demo)')
    .option('--data <dir>', 'data directory', DEFAULT_DATA)
    .option('--port <n>', "the producer's port; the console takes the next; 0: any free ones", DEFAULT_PORT)
    .addOption(isolation)
    .action(up)
  json(program.command('demo'))
    .description('run the demo requests through a cluster of their own')
    .action(runDemo)
  json(program.command('check')).description('validate a cluster file').argument('<file>').action(check)
}

/** Loaded on demand: it brings what only a checkout has. */
async function runDemo(flags: { json?: boolean }): Promise<void> {
  const { demo } = await import('./commands/demo.ts')
  await demo(flags)
}

function requests(program: Command): void {
  target(program.command('enqueue'))
    .description('post a request to an agent type')
    .argument('<agent>')
    .requiredOption('--input <json>', 'JSON, @FILE, or - for stdin')
    .option('--wait', 'wait for its end')
    .option('--timeout <duration>', 'how long to wait', '60s')
    .action(enqueue)
  target(program.command('request')).description('show a request').argument('<id>').action(request)
  target(program.command('trace'))
    .description('show the span tree of a request or a trace')
    .argument('<id>', 'request id or trace id')
    .action(trace)
  target(program.command('agents')).description('show the agent types').action(agents)
}

const json = (command: Command) => command.option('--json', 'JSON on stdout')
const target = (command: Command) =>
  json(command)
    .option('--data <dir>', 'data directory of the running cluster', DEFAULT_DATA)
    .option('--url <url>', "the producer's address")
    .option('--api-key-file <file>', 'file with the API key')
