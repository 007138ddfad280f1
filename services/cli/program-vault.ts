import type { Command } from 'commander'
import type { VaultOptions } from './vault-target.ts'

/** What speaks to Vault: `policies` and `secrets`. */
export function vaultCommands(program: Command, defaults: { data: string }): void {
  const target = (command: Command) =>
    command
      .option('--json', 'print JSON on stdout')
      .option('--data <dir>', 'data directory of the running cluster', defaults.data)
      .option('--cluster <file>', 'cluster file, for a Vault outside: VAULT_ADDR and VAULT_TOKEN say which')
      .option('--vault-token-file <file>', "file with an operator's Vault token, in place of VAULT_TOKEN")
  policies(program, target)
}

type Target = (command: Command) => Command

/** Loads a command when it runs. */
const load = {
  policies: () => import('./commands/policies.ts'),
}

function policies(program: Command, target: Target): void {
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
