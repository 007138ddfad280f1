import type { Secret } from '#lib/cluster'
import {
  AnthropicProvider,
  AppRoleProvider,
  type AppRoleOptions,
  commandProvider,
  type CommandUser,
  OpenAiProvider,
  PostgresProvider,
  randomProvider,
  type RotationProvider,
  suppliedProvider,
} from '#lib/rotation'
import { PermanentError } from '#lib/runtime'

/** Reads a static secret's value, for what a provider administers with. */
export type ReadSecret = (secret: string) => Promise<string>

/** What providers work with. */
export interface ProviderParts {
  read: ReadSecret
  vault: AppRoleOptions['vault']
  /** The rotator's own. */
  token: () => string
  /** Whom commands run as. */
  commandUser?: CommandUser | undefined
}

/** A secret whose `rotate` lacks what its provider needs: no cluster file that was checked has one. */
export class NotRotatableError extends PermanentError {
  override readonly name = 'NotRotatableError'
  constructor({ name, provider }: Secret) {
    super(`secrets.${name}.rotate: lacks what a secret of provider ${provider} needs`)
  }
}

/** What makes and ends the keys of a secret with `rotate`. @throws NotRotatableError; TypeError for a command as root */
export function providerOf(secret: Secret, parts: ProviderParts): RotationProvider {
  const { read, commandUser: user } = parts
  const { command: file, also, adminSecret } = secret.rotate!
  const admin = adminSecret === undefined ? undefined : () => read(adminSecret)
  if (file !== undefined) return commandProvider({ file, user, also, admin })
  return (BUILT_IN[secret.provider] ?? supplied)({ secret, admin, ...parts })
}

type Parts = ProviderParts & { secret: Secret; admin: ReadAdmin | undefined }
type ReadAdmin = () => Promise<string>

const supplied = ({ secret }: Parts) => suppliedProvider(secret.name)

const BUILT_IN: Record<string, (parts: Parts) => RotationProvider> = {
  random: () => randomProvider,
  anthropic({ secret, admin: adminKey }) {
    if (!secret.egress) throw new NotRotatableError(secret)
    return new AnthropicProvider({ baseUrl: secret.egress.baseUrl, secret: secret.name, adminKey })
  },
  openai({ secret, admin: adminKey }) {
    const { egress, rotate } = secret
    if (!egress || !adminKey || !rotate?.project) throw new NotRotatableError(secret)
    return new OpenAiProvider({ baseUrl: egress.baseUrl, project: rotate.project, adminKey })
  },
  'postgres-roles'({ secret, admin, read }) {
    const { connect, rotate } = secret
    if (!connect || !rotate?.roles) throw new NotRotatableError(secret)
    const { host, socket, port, database, adminSecret } = connect
    const server = { host: socket ?? host, port, database }
    return new PostgresProvider({ server, roles: rotate.roles, admin: admin ?? (() => read(adminSecret)) })
  },
  'vault-approle'({ secret, vault, token }) {
    if (!secret.rotate?.role) throw new NotRotatableError(secret)
    return new AppRoleProvider({ vault, token, role: secret.rotate.role })
  },
}
