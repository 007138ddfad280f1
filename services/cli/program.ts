import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { Level } from '#lib/runtime'
import type { CheckOptions } from './commands/check.ts'
import type { EnqueueFlags } from './commands/requests.ts'
import type { UpFlags } from './commands/up.ts'
import type { VerifyFlags } from './commands/verify-isolation.ts'
import { DEFAULT_DATA } from './defaults.ts'
import { vaultCommands } from './program-vault.ts'
import type { TargetOptions } from './target.ts'

interface JsonFlag {
  json?: boolean
}
type Flags = TargetOptions & JsonFlag

const DEFAULT_PORT = '7420'
const EXAMPLES = `
Exit codes: 0; 1 when what was asked for did not go well; 2 when the command line is wrong.

Examples:
  threadbound up --cluster my/threadbound.yaml
  threadbound enqueue request-handler --input '{"message":"Hello"}' --wait
  threadbound trace request-handler.01a2051d86e475f6b473c79b586087a9`

/** The whole command: names, options, help. Parsing errors are thrown, not exited on. */
export function createProgram(): Command {
  const program = new Command('threadbound')
    .description('Every request to an AI agent in its own fresh, limited, disposable context')
    .version(version(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'threadbound: ')) })
    .showSuggestionAfterError()
    .addHelpText('after', EXAMPLES)
  running(program)
  requests(program)
  vaultCommands(program)
  host(program)
  return program
}

function running(program: Command): void {
  const isolation = new Option('--isolation <level>', "in place of every agent type's own level").choices(
    Level.options,
  )
  json(program.command('up'))
    .description('start a cluster on this machine, and run it until Ctrl-C')
    .option('--cluster <file>', 'cluster file (default: ./threadbound.yaml, else the demo)')
    .option('--data <dir>', 'data directory', DEFAULT_DATA)
    .option('--port <n>', "the producer's port; the console takes the next; 0: free ones", DEFAULT_PORT)
    .addOption(isolation)
    .action(async (flags: UpFlags) => (await load.up()).up(flags))
  json(program.command('demo'))
    .description('run the demo requests through a cluster of their own')
    .action(async (flags: JsonFlag) => (await load.demo()).demo(flags))
  json(program.command('check'))
    .description('show every mistake of a cluster file, starting nothing')
    .argument('<file>', 'cluster file')
    .option('--data <dir>', 'data directory of the running cluster, whose schedules are shown', DEFAULT_DATA)
    .action(async (file: string, flags: CheckOptions) => (await load.check()).check(file, flags))
}

function host(program: Command): void {
  json(program.command('doctor'))
    .description('show which isolation levels this machine gives, and how to get the others')
    .action(async (flags: JsonFlag) => (await load.doctor()).doctor(flags))
  const level = new Option('--level <level>', 'only this one (default: every level that this machine gives)')
  json(program.command('verify-isolation'))
    .description('let canaries try to leave their contexts and to find traces of others')
    .addOption(level.choices(Level.options))
    .option('--runs <n>', 'canaries at the same time, twice', '8')
    .action(async (flags: VerifyFlags) => (await load.verifyIsolation()).verifyIsolation(flags))
}

/** Loads a command when it runs: each brings libraries that the others need not wait for. */
const load = {
  up: () => import('./commands/up.ts'),
  demo: () => import('./commands/demo.ts'),
  check: () => import('./commands/check.ts'),
  requests: () => import('./commands/requests.ts'),
  trace: () => import('./commands/trace.ts'),
  agents: () => import('./commands/agents.ts'),
  doctor: () => import('./commands/doctor.ts'),
  verifyIsolation: () => import('./commands/verify-isolation.ts'),
}

function requests(program: Command): void {
  target(program.command('enqueue'))
    .description('send a request to an agent type; prints its id')
    .argument('<agent>', 'agent type')
    .requiredOption('--input <json>', "the agent's input: JSON, @FILE, or - for stdin")
    .option('--wait', 'wait for its end and show it; exit 1 unless it completed')
    .option('--timeout <duration>', 'how long to wait', '60s')
    .action(async (agent: string, flags: EnqueueFlags) => (await load.requests()).enqueue(agent, flags))
  target(program.command('request'))
    .description('show a request: its outcome, result, attempts and receipt')
    .argument('<id>', 'request id')
    .action(async (id: string, flags: Flags) => (await load.requests()).request(id, flags))
  target(program.command('cancel'))
    .description('cancel a request, running or waiting; exit 1 when it had ended in another way')
    .argument('<id>', 'request id')
    .action(async (id: string, flags: Flags) => (await load.requests()).cancel(id, flags))
  target(program.command('trace'))
    .description('show the span tree of a request or a trace')
    .argument('<id>', 'request id or trace id')
    .action(async (id: string, flags: Flags) => (await load.trace()).trace(id, flags))
  target(program.command('agents'))
    .description('show the agent types: slots, running, waiting, spares')
    .action(async (flags: Flags) => (await load.agents()).agents(flags))
}

const json = (command: Command) => command.option('--json', 'print JSON on stdout')
const target = (command: Command) =>
  json(command)
    .option('--data <dir>', 'data directory of the running cluster', DEFAULT_DATA)
    .option('--url <url>', "the producer's address, in place of --data; needs --api-key-file")
    .option('--api-key-file <file>', 'file with the API key')

/** The version in the manifest, which lies at the same place above the sources and above the built command. */
function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
