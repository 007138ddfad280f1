import { badRequest } from '../errors.ts'
import { messageOf } from '#lib/runtime'
import { Acl } from './acl.ts'
import { DEFAULT_POLICY, RESPONSE_WRAPPING_POLICY } from './built-in.ts'
import { parsePolicy, type PolicyRule } from './policy.ts'

/** Policies that no token may be given by name. */
export const NOT_ASSIGNABLE = ['response-wrapping']
const KEPT = ['root', 'response-wrapping', 'default']

interface Policy {
  text: string
  rules: PolicyRule[]
}

/**
 * The policies by name, and the judgement of any set of names.
 * A token keeps names alone: a changed text counts from the next request on.
 */
export class PolicyStore {
  readonly #policies = new Map<string, Policy>()
  readonly #acls = new Map<string, Acl>()

  constructor() {
    this.put('default', DEFAULT_POLICY)
    this.#policies.set('response-wrapping', {
      text: RESPONSE_WRAPPING_POLICY,
      rules: parsePolicy(RESPONSE_WRAPPING_POLICY),
    })
  }

  /** The text; `root` exists and has none. */
  text(name: string): string | undefined {
    return name === 'root' ? '' : this.#policies.get(name)?.text
  }

  has(name: string): boolean {
    return name === 'root' || this.#policies.has(name)
  }

  names(): string[] {
    return [...this.#policies.keys()]
      .filter((name) => !NOT_ASSIGNABLE.includes(name))
      .toSorted()
      .concat('root')
  }

  save(): [string, string][] {
    return [...this.#policies].map(([name, { text }]) => [name, text])
  }

  load(policies: readonly [string, string][]): void {
    for (const [name, text] of policies) if (!NOT_ASSIGNABLE.includes(name)) this.put(name, text)
  }

  /** @throws VaultRefusal 400 when the text is no policy, or the name is reserved */
  put(name: string, text: string): void {
    if (name === 'root' || NOT_ASSIGNABLE.includes(name)) throw badRequest(`cannot update "${name}" policy`)
    this.#policies.set(name, { text, rules: rulesOf(text) })
    this.#acls.clear()
  }

  /** @throws VaultRefusal 400 for the policies that Vault keeps */
  delete(name: string): void {
    if (KEPT.includes(name)) throw badRequest(`cannot delete "${name}" policy`)
    this.#policies.delete(name)
    this.#acls.clear()
  }

  /** What the policies of these names allow together; unknown names grant nothing. */
  acl(names: readonly string[]): Acl {
    const key = JSON.stringify(names)
    const known = this.#acls.get(key)
    if (known) return known
    const acl = new Acl(
      names.flatMap((policy) =>
        (this.#policies.get(policy)?.rules ?? []).map((rule) => ({ ...rule, policy })),
      ),
      { root: names.includes('root') },
    )
    if (this.#acls.size > 10_000) this.#acls.clear()
    this.#acls.set(key, acl)
    return acl
  }
}

function rulesOf(text: string): PolicyRule[] {
  try {
    return parsePolicy(text)
  } catch (cause) {
    throw badRequest(`failed to parse policy: ${messageOf(cause)}`)
  }
}
