import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { dirname, extname, join, sep } from 'node:path'
import type { OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from 'esbuild'

/**
 * What a bundle may be made of: files below the cluster file's folder, packages in the node_modules folders that
 * Node's lookup finds from there, and `threadbound/agent`. Judged after symlinks are resolved, before anything is read.
 */

/** Absolute real paths. */
export interface FenceOptions {
  root: string
  agentEntry: string
  /** A file of ours that is the entry when there is no handler. */
  own: string
}

const ALLOWED = new Set(['.js', '.cjs', '.mjs', '.ts', '.cts', '.mts', '.json'])
const ABSENT = 'absent'
const SKIP = Symbol('resolved by the fence')

/** The esbuild plugin that holds the fence. */
export async function fence(options: FenceOptions): Promise<Plugin> {
  const folders = [options.root, dirname(options.agentEntry), ...(await packageFolders(options.root))]
  return {
    name: 'fence',
    setup(build) {
      build.onResolve({ filter: /.*/ }, async (args) => {
        if (args.pluginData === SKIP || args.kind === 'entry-point') return undefined
        if (args.path === 'threadbound/agent') return { path: options.agentEntry }
        if (args.path === options.own && args.importer.endsWith('threadbound-entry.js'))
          return { path: options.own }
        return judge(build, args, folders)
      })
      build.onLoad({ filter: /.*/, namespace: ABSENT }, ({ path }) => ({ contents: absent(path) }))
    },
  }
}

async function judge(build: PluginBuild, args: OnResolveArgs, folders: string[]): Promise<OnResolveResult> {
  const { kind, importer, resolveDir, path } = args
  const found = await build.resolve(path, {
    kind,
    importer,
    resolveDir,
    namespace: args.namespace,
    pluginData: SKIP,
  })
  if (found.errors.length > 0 && isOptional(args)) return { path, namespace: ABSENT }
  if (found.errors.length > 0 || found.external || found.namespace !== 'file') return found
  const real = await realpath(found.path)
  if (!folders.some((folder) => real.startsWith(folder + sep)))
    return { errors: [{ text: `"${path}" lies outside of the cluster file's folder` }] }
  if (ALLOWED.has(extname(real))) return found
  const what =
    extname(real) === '.node' ? 'native addons are refused' : 'only js, ts and json can be imported'
  return { errors: [{ text: `"${path}" cannot be bundled: ${what}` }] }
}

/** A package may `require` what is not installed (pg asks for pg-native); as in Node, it throws where it is reached. */
const isOptional = ({ kind, importer, path }: OnResolveArgs) =>
  kind === 'require-call' && importer.includes(`${sep}node_modules${sep}`) && !path.startsWith('.')

const absent = (path: string) => {
  const message = JSON.stringify(`Cannot find module '${path}'`)
  return `throw Object.assign(new Error(${message}), { code: 'MODULE_NOT_FOUND' })`
}

async function packageFolders(from: string): Promise<string[]> {
  const here = join(from, 'node_modules')
  const own = existsSync(here) ? [await realpath(here)] : []
  return dirname(from) === from ? own : [...own, ...(await packageFolders(dirname(from)))]
}
