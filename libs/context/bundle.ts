import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildFailure, BuildOptions, Message, Plugin } from 'esbuild'
import { AgentBuildError } from './errors.ts'
import { fence } from './bundle-fence.ts'
import { withBundler } from './bundler.ts'

/** An agent as contexts load it: one CommonJS string that needs nothing but Node's own modules. */
export interface Bundle {
  code: string
  /** The name that the code has in stack traces. */
  filename: string
  /** Of the code, SHA-256, hex. */
  hash: string
  /** Source map, JSON; sources are relative to the root. */
  sourceMap: string
  /** V8's cache of the code, from a context that ran it and that no request had entered. */
  codeCache?: Buffer
}

/** What to bundle. */
export interface BundleOptions {
  /** The agent's file. Absent: the built-in prompt agent. */
  file?: string
  /** The cluster file's folder: nothing outside of it is read but packages and `threadbound/agent`. */
  root: string
  /** What `threadbound/agent` is. Default: this package's. */
  agentEntry?: string
  /** The prompt agent's system text. */
  system?: string
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const PROMPT_AGENT = here('./prompt-agent.ts')
const AGENT_LIB = here('../agent/index.ts')

/** Bundles an agent. @throws AgentBuildError naming file and line */
export async function bundleAgent(options: BundleOptions): Promise<Bundle> {
  const root = await realpath(options.root)
  const agentEntry = await realpath(options.agentEntry ?? AGENT_LIB)
  const file = options.file ?? PROMPT_AGENT
  const built = await build({
    ...SETTINGS,
    stdin: { contents: wrapper(file), resolveDir: root, sourcefile: 'threadbound-entry.js' },
    absWorkingDir: root,
    outfile: join(root, 'agent.js'),
    define: { 'import.meta.url': '"file:///agent.js"', TB_SYSTEM: JSON.stringify(options.system ?? '') },
    plugins: [await fence({ root, agentEntry, own: PROMPT_AGENT })],
  })
  const hash = createHash('sha256').update(built.code).digest('hex')
  return { ...built, filename: `agent-${hash.slice(0, 12)}.js`, hash }
}

const SETTINGS = {
  bundle: true,
  write: false,
  format: 'cjs',
  platform: 'node',
  target: 'node26',
  supported: { 'dynamic-import': false },
  sourcemap: 'external',
  sourcesContent: false,
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'silent',
  tsconfigRaw: {},
} as const satisfies BuildOptions

/** The errors that a context raises must be the classes that the agent compares them with. */
const wrapper = (file: string) => `
export { default as agent } from ${JSON.stringify(file)}
export { AgentCallError, BrokerError } from 'threadbound/agent'
`

const entries = new Map<string, Promise<string>>()

/** The JavaScript that every context starts with, built once. */
export const buildChildEntry = (): Promise<string> => buildEntry('./child/main.ts')

/** The JavaScript of a thread host, built once. */
export const buildHostEntry = (): Promise<string> => buildEntry('./host/main.ts')

function buildEntry(main: string): Promise<string> {
  const options = { ...SETTINGS, sourcemap: false, entryPoints: [here(main)], minify: true }
  const entry = entries.get(main) ?? build(options).then(({ code }) => code)
  entries.set(main, entry)
  return entry
}

let launcher: Promise<string> | undefined

/**
 * The launcher's own program, built once: an ES module that loads what it uses and no more. Every start forks the launcher,
 * which takes longer the more memory it has: from its sources, with their compiler and all that stands beside what it
 * imports, it has twice as much.
 */
export function buildLauncher(): Promise<string> {
  const main = here('../../services/launcher/main.ts')
  launcher ??= build({
    ...SETTINGS,
    format: 'esm',
    sourcemap: false,
    minifyWhitespace: false,
    entryPoints: [main],
    external: ['esbuild'],
    // Of what it loads, one module alone asks where it lies: for the file beside it.
    define: { 'import.meta.url': JSON.stringify(new URL('./levels/landlock.ts', import.meta.url).href) },
    plugins: [withoutUnused],
  }).then(({ code }) => code)
  return launcher
}

/** Modules of ours do nothing by being imported: one whose exports are not used is left out. */
const withoutUnused: Plugin = {
  name: 'without-unused',
  setup(build) {
    build.onResolve({ filter: /^[.#]/ }, async ({ path, importer, kind, resolveDir, pluginData }) => {
      if (pluginData === withoutUnused || importer.includes('node_modules')) return undefined
      const found = await build.resolve(path, { kind, importer, resolveDir, pluginData: withoutUnused })
      return { ...found, sideEffects: false }
    })
  },
}

async function build(options: BuildOptions): Promise<{ code: string; sourceMap: string }> {
  try {
    const { outputFiles } = await withBundler((esbuild) => esbuild.build({ ...options, write: false }))
    const text = (end: string) => outputFiles.find((file) => file.path.endsWith(end))?.text ?? ''
    return { code: options.outfile ? text('.js') : outputFiles[0]!.text, sourceMap: text('.map') }
  } catch (cause) {
    const { errors } = cause as Partial<BuildFailure>
    throw errors ? new AgentBuildError(errors.map(describe)) : cause
  }
}

function describe({ text, location, notes }: Message): string {
  const place = location ? `${location.file}:${location.line}:${location.column + 1}: ` : ''
  return `${place}${text}${notes[0]?.text ? ` (${notes[0].text})` : ''}`
}
