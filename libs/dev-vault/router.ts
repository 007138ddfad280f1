import { VaultRefusal } from './errors.ts'
import type { Engine, Operation, Route } from './engine.ts'
import { badRequest } from './errors.ts'
import { randomBase62 } from './ids.ts'
import { randomUUID } from 'node:crypto'

/** An engine at a place. `path` ends with a slash; auth methods are at `auth/<name>/`. */
export interface Mount {
  path: string
  engine: Engine
  accessor: string
  uuid: string
  description: string
  options: Record<string, string> | null
  defaultTtlMs: number
  maxTtlMs: number
}

export interface RouteMatch {
  mount: Mount
  route: Route
  params: Record<string, string>
}

interface Compiled {
  mount: Mount
  routes: { route: Route; expression: RegExp }[]
}

/** Finds the engine and the route of a path: the longest mount, then its first route that fits. */
export class Router {
  readonly #mounts = new Map<string, Compiled>()

  /** @throws VaultRefusal 400 when the place overlaps with a mount */
  mount(options: Pick<Mount, 'path' | 'engine'> & Partial<Mount>): Mount {
    this.refuseOverlap(options.path)
    const mount: Mount = {
      accessor: `${options.engine.type}_${randomBase62(8).toLowerCase()}`,
      uuid: randomUUID(),
      description: '',
      options: null,
      defaultTtlMs: 0,
      maxTtlMs: 0,
      ...options,
    }
    const routes = mount.engine.routes.map((route) => ({ route, expression: compile(route.pattern) }))
    this.#mounts.set(mount.path, { mount, routes })
    return mount
  }

  unmount(path: string): Mount | undefined {
    const found = this.#mounts.get(path)
    this.#mounts.delete(path)
    return found?.mount
  }

  mounts(): Mount[] {
    return [...this.#mounts.values()].map(({ mount }) => mount)
  }

  /** The mount that a path lies in, if any. */
  mountOf(path: string): Mount | undefined {
    return this.#find(path)?.mount
  }

  /**
   * The route of a path, a list's without a slash at its end: the first that fits and knows the operation, else the first that
   * fits; undefined when its engine has none.
   */
  match(path: string, operation: Operation): RouteMatch | undefined {
    const found = this.#find(path)
    if (!found) return undefined
    const rest = path.slice(found.mount.path.length)
    let first: RouteMatch | undefined
    for (const { route, expression } of found.routes) {
      const groups = expression.exec(rest)
      if (!groups || (first && route.isFallback)) continue
      const match = { mount: found.mount, route, params: { ...groups.groups } }
      if (route.on[operation]) return match
      first ??= match
    }
    return first
  }

  #find(path: string): Compiled | undefined {
    const segments = `${path}/`.split('/')
    for (let count = segments.length; count > 0; count--) {
      const found = this.#mounts.get(`${segments.slice(0, count).join('/')}/`)
      if (found) return found
    }
    return undefined
  }

  /** @throws VaultRefusal 400; an auth method's place is told without `auth/` */
  refuseOverlap(path: string): void {
    for (const known of this.#mounts.keys())
      if (known.startsWith(path) || path.startsWith(known))
        throw badRequest(`path is already in use at ${known.replace(/^auth\//, '')}`)
  }
}

/** The refusal of a path in which nothing is mounted. */
export function noHandler(path: string): VaultRefusal {
  return new VaultRefusal(404, `no handler for route "${path}". route entry not found.`)
}

function compile(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/:(\w+)/g, String.raw`(?<$1>\w(?:[\w.-]*\w)?)`)
    .replaceAll(/\*(\w+)/g, '(?<$1>.+)')
  return new RegExp(`^${source}$`, 'u')
}
