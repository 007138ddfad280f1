import type { Command } from 'commander'
import type { RevokeOptions } from './commands/revoke.ts'
import type { CreateOptions, DeleteOptions, GetOptions, NamedOptions } from './commands/secrets.ts'
import type { RotateOptions, RotationsOptions } from './commands/secrets-rotate.ts'
import type { AuditOptions } from './commands/secrets-audit.ts'
import type { StatusOptions } from './commands/secrets-status.ts'
import { DEFAULT_DATA } from './defaults.ts'
import { CommandError } from './errors.ts'
import type { VaultOptions } from './vault-target.ts'

/** What speaks to Vault: `policies`, `secrets`, `rotations` and `revoke`. */
export function vaultCommands(program: Command): void {
  policies(program)
  secrets(program)
  history(program)
  revocation(program)
}

/** Options that say which Vault it is, and for which cluster. */
const target = (command: Command) =>
  command
    .option('--json', 'print JSON on stdout')
    .option('--data <dir>', 'data directory of the running cluster', DEFAULT_DATA)
    .option('--cluster <file>', 'cluster file, for a Vault outside: VAULT_ADDR and VAULT_TOKEN say which')
    .option('--vault-token-file <file>', "file with an operator's Vault token, in place of VAULT_TOKEN")

/** Loads a command when it runs. */
const load = {
  policies: () => onNewNode(() => import('./commands/policies.ts')),
  secrets: () => onNewNode(() => import('./commands/secrets.ts')),
  status: () => onNewNode(() => import('./commands/secrets-status.ts')),
  rotate: () => onNewNode(() => import('./commands/secrets-rotate.ts')),
  revoke: () => onNewNode(() => import('./commands/revoke.ts')),
  audit: () => onNewNode(() => import('./commands/secrets-audit.ts')),
}

function policies(program: Command): void {
  const group = program
    .command('policies')
    .description('what Vault holds for a cluster: policies, roles, databases')
  target(group.command('plan'))
    .description('show what differs from the cluster file, changing nothing')
    .action(async (options: VaultOptions) => (await load.policies()).plan(options))
  target(group.command('apply'))
    .description('make Vault hold what the cluster file says, writing only what differs')
    .action(async (options: VaultOptions) => (await load.policies()).apply(options))
  target(group.command('verify'))
    .description('have Vault say what each agent type may do; exit 1 for anything more or less than declared')
    .action(async (options: VaultOptions) => (await load.policies()).verify(options))
  target(group.command('prune'))
    .description('remove what carries a name of this cluster and environment and is in no plan')
    .action(async (options: VaultOptions) => (await load.policies()).prune(options))
}

function secrets(program: Command): void {
  const group = program
    .command('secrets')
    .description('values in Vault, what is known of them, who used them')
  const named = (name: string) =>
    target(group.command(name)).requiredOption('--name <secret>', 'name of the secret in the cluster file')
  named('create')
    .description('put a value into Vault, the first or one in place of the present')
    .option('--provider <provider>', 'as the cluster file says it: a check')
    .option('--value-file <file>', 'file with the value')
    .option('--value <value>', 'the value, or - for stdin; default: asked for, without echo')
    .option('--force', 'take a value that is short or holds unusual characters')
    .action(async (options: CreateOptions) => (await load.secrets()).create(options))
  named('get')
    .description('show a value, masked')
    .option('--reveal', 'show the value itself, once that is in the audit log')
    .option('--audit-file <file>', 'with --reveal: the audit log to put it in, where no cluster runs')
    .action(async (options: GetOptions) => (await load.secrets()).get(options))
  named('refresh')
    .description('have the sidecar read a secret anew; show what each agent type finds')
    .action(async (options: NamedOptions) => (await load.secrets()).refresh(options))
  named('rotate')
    .description('have a secret get a new value, now or on a schedule')
    .option('--now', 'as soon as a rotator is free; the default')
    .option('--revoke-old', 'end the old key at once, though attempts may still hold it')
    .option(
      '--schedule <schedule>',
      'daily, weekly, monthly, five cron fields, or cluster-file for its own again',
    )
    .option('--dry-run', 'show what would be done')
    .option('--value-file <file>', 'the new key, where the provider makes none by itself')
    .option('--value <value>', 'the same; - for stdin')
    .option('--key-id <id>', 'what the provider calls that key')
    .option('--force', 'take a value that is short or holds unusual characters')
    .action(async (options: RotateOptions) => (await load.rotate()).rotate(options))
  named('delete')
    .description('take all values of a secret away')
    .option('--destroy', "so that Vault's own tools cannot bring them back either")
    .action(async (options: DeleteOptions) => (await load.secrets()).remove(options))
  shown(group)
}

function revocation(program: Command): void {
  target(program.command('revoke'))
    .description('end at once what is held of a secret, by an agent type, or in a trace')
    .option('--secret <name>', 'nobody is given it again until it has a newer value')
    .option('--agent <type>', 'all that attempts of this agent type hold')
    .option('--trace <id>', 'all of a trace, which is shown first; its requests are cancelled')
    .option('--keep-running', 'let attempts go on, without what is revoked')
    .option('--yes', 'with --trace: do not ask')
    .action(async (options: RevokeOptions) => (await load.revoke()).revoke(options))
}

function history(program: Command): void {
  target(program.command('rotations'))
    .description('show state and history of rotations: when, by whom, which generation and key')
    .option('--name <secret>', 'of this secret alone')
    .action(async (options: RotationsOptions) => (await load.rotate()).rotations(options))
}

function shown(group: Command): void {
  target(group.command('list'))
    .description('show every secret: provider, generation, age, agent types')
    .action(async (options: VaultOptions) => (await load.status()).list(options))
  target(group.command('status'))
    .description('show generation, age, next rotation, leases, consumers and cache')
    .option('--name <secret>', 'this one alone')
    .action(async (options: StatusOptions) => (await load.status()).status(options))
  target(group.command('audit'))
    .description('show who used which secret')
    .option('--audit-file <file>', 'the log, in place of the one in the data directory')
    .option('--period <duration>', 'how far back', '24h')
    .option('--secret <name>', 'of this secret')
    .option('--agent <type>', 'of this agent type')
    .option('--trace <id>', 'in this trace')
    .option(
      '--verify',
      'check the whole chain, and its end by what Vault has noted; exit 1 when it is broken',
    )
    .action(async (options: AuditOptions) => (await load.audit()).audit(options))
}

/** The client of Vault needs this much; the rest of the command runs on any Node of today. */
const LEAST = [22, 19]

function onNewNode<T>(load: () => Promise<T>): Promise<T> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > LEAST[0]! || (major === LEAST[0] && minor >= LEAST[1]!)) return load()
  throw new CommandError(`this needs Node ${LEAST.join('.')} or later; it runs on ${process.versions.node}`)
}
