import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import { describe, expect, test } from 'vitest'

/** DESIGN.md section 4: which lib may import which. A lib that is not in here is no part of the design. */
const MAY_IMPORT: Record<string, string[]> = {
  runtime: [],
  telemetry: ['runtime'],
  traces: ['runtime', 'telemetry'],
  cluster: ['runtime'],
  queue: ['runtime', 'telemetry'],
  wire: [],
  context: ['runtime', 'telemetry', 'agent', 'wire'],
  vault: ['runtime', 'telemetry'],
  'dev-vault': ['runtime'],
  secrets: ['runtime', 'telemetry', 'vault', 'wire'],
  broker: ['runtime', 'telemetry', 'secrets', 'wire'],
  audit: ['runtime'],
  http: ['runtime'],
  rotation: ['runtime', 'telemetry', 'vault'],
  agent: [],
  client: [],
}
/** Libs that other people's code loads: no dependency at all. */
const WITHOUT_DEPENDENCY = ['agent', 'client', 'wire']
/** Every lib with the folder in which its code runs inside a context: only what a context speaks, and no package. */
const INSIDE_A_CONTEXT = { folder: 'libs/context/child', libs: ['wire', 'agent'] }

interface Import {
  file: string
  target: string
}

const ROOT = join(import.meta.dirname, '../..')
const IMPORT =
  /^[ \t]*(?:import|export)\s+(?:type\s+)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|\brequire(?:\.resolve)?\(\s*['"]([^'"]+)['"]\s*\)/gm

/** The imports of a source text. A simple scan: it knows statements at the start of a line, and dynamic imports of a literal. */
function importsOf(file: string, source: string): Import[] {
  return [...source.matchAll(IMPORT)].map(([, from, dynamic, required]) => ({
    file,
    target: (from ?? dynamic ?? required)!,
  }))
}

function sourceFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|mts|js|mjs)$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'))
}

const names = (folder: string) =>
  readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
const allImports = ['libs', 'services']
  .flatMap(sourceFiles)
  .flatMap((file) => importsOf(file, readFileSync(join(ROOT, file), 'utf8')))

const libOf = (target: string) => /^#lib\/([^/]+)$/.exec(target)?.[1]
const isRelative = (target: string) => target.startsWith('.')
const isPackage = (target: string) => !isRelative(target) && !target.startsWith('#') && !isBuiltin(target)
/** `libs/queue`, `services/producer`. All of `services/dev` is one part: what one machine needs beside the others. */
const partOf = (file: string) => file.split('/').slice(0, 2).join('/')

/** What breaks a rule of the design among these imports, one line each. */
function violations(imports: Import[]): string[] {
  return imports.flatMap((one) =>
    RULES.flatMap((rule) => rule(one) ?? []).map((why) => `${one.file} imports ${one.target}: ${why}`),
  )
}

const RULES: ((one: Import) => string | undefined)[] = [
  function libsFollowTheArrows({ file, target }) {
    const [, importer] = /^libs\/([^/]+)\//.exec(file) ?? []
    const lib = libOf(target)
    if (!importer || !lib || MAY_IMPORT[importer]?.includes(lib)) return undefined
    return lib === importer ? 'within a lib, imports are relative' : `${importer} may not import ${lib}`
  },
  function onlyTheIndexOfALib({ target }) {
    if (!target.startsWith('#')) return undefined
    const lib = libOf(target)
    return lib && Object.hasOwn(MAY_IMPORT, lib) ? undefined : 'expected #lib/<a lib of the design>'
  },
  function relativeImportsStayWithin({ file, target }) {
    if (!isRelative(target)) return undefined
    const part = partOf(join(dirname(file), target).split(sep).join('/'))
    return part === partOf(file) ? undefined : 'a relative import leaves its lib or service'
  },
  function relativeImportsNameTheFile({ target }) {
    return isRelative(target) && !/\.(ts|mts|js|mjs|json)$/.test(target)
      ? 'expected the file with its ending'
      : undefined
  },
  function noLibImportsAService({ file, target }) {
    return file.startsWith('libs/') && /\bservices\//.test(target) ? 'no lib imports a service' : undefined
  },
  function someLibsHaveNoDependency({ file, target }) {
    const [, lib = ''] = /^libs\/([^/]+)\//.exec(file) ?? []
    return WITHOUT_DEPENDENCY.includes(lib) && isPackage(target) ? `${lib} has no dependency` : undefined
  },
  function contextsLoadLittle({ file, target }) {
    if (!file.startsWith(`${INSIDE_A_CONTEXT.folder}/`)) return undefined
    const lib = libOf(target)
    if (lib) return INSIDE_A_CONTEXT.libs.includes(lib) ? undefined : `a context does not load ${lib}`
    if (isPackage(target)) return 'a context loads no package'
    const inside = join(dirname(file), target).startsWith(INSIDE_A_CONTEXT.folder.split('/').join(sep))
    return isRelative(target) && !inside ? 'code in a context does not import code of the worker' : undefined
  },
]

describe('the design', () => {
  test('every arrow between libs and services is one of DESIGN.md', () => {
    expect(violations(allImports)).toEqual([])
  })

  test('every lib is one of DESIGN.md and has an index', () => {
    expect(names('libs').filter((lib) => !Object.hasOwn(MAY_IMPORT, lib))).toEqual([])
    for (const lib of names('libs')) expect(sourceFiles(`libs/${lib}`)).toContain(`libs/${lib}/index.ts`)
  })

  test('the arrows make no cycle', () => {
    const reach = (lib: string, seen: string[]): string[] =>
      MAY_IMPORT[lib]!.flatMap((next) =>
        seen.includes(next) ? [`${seen.join(' -> ')} -> ${next}`] : reach(next, [...seen, next]),
      )
    expect(Object.keys(MAY_IMPORT).flatMap((lib) => reach(lib, [lib]))).toEqual([])
  })

  test('the scan sees the imports there are', () => {
    expect(allImports.length).toBeGreaterThan(100)
    expect(allImports).toContainEqual({
      file: 'libs/traces/otlp.ts',
      target: '#lib/runtime',
    })
  })
})

describe('I3: no service turns walls down', () => {
  test("only verification asks for contexts without Node's permission model", () => {
    const asks = /\bpermissionModel\b/
    const all = ['libs', 'services']
      .flatMap(sourceFiles)
      .filter((file) => asks.test(readFileSync(join(ROOT, file), 'utf8')))
    const may = [/^libs\/(wire|context)\//, /^services\/launcher\//, /^services\/cli\/verify\//]
    expect(all.filter((file) => !may.some((folder) => folder.test(file)))).toEqual([])
    expect(all).toContain('services/launcher/launcher.ts')
  })
})

describe('a wrong arrow is found', () => {
  test.each([
    ['libs/runtime/x.ts', "import { a } from '#lib/telemetry'", 'runtime may not import telemetry'],
    ['libs/wire/x.ts', "import type { A } from '#lib/runtime'", 'wire may not import runtime'],
    ['libs/queue/x.ts', "export { a } from '#lib/vault'", 'queue may not import vault'],
    ['libs/queue/x.ts', "export * from '#lib/queue'", 'within a lib'],
    ['libs/queue/x.ts', "import {\n  a,\n  b,\n} from '#lib/audit'", 'queue may not import audit'],
    ['libs/queue/x.ts', "const a = await import('#lib/audit')", 'queue may not import audit'],
    ['libs/queue/x.ts', "import '#lib/audit'", 'queue may not import audit'],
    ['libs/queue/x.ts', "import a from '../traces/index.ts'", 'leaves its lib'],
    ['libs/queue/x.ts', "import a from '../../services/producer/main.ts'", 'leaves its lib'],
    ['services/producer/x.ts', "import a from '../worker/pool.ts'", 'leaves its lib or service'],
    ['services/producer/x.ts', "import a from '../../libs/queue/index.ts'", 'leaves its lib or service'],
    ['services/producer/x.ts', "import a from '#lib/queue/job.ts'", 'expected #lib/'],
    ['services/producer/x.ts', "import a from '#lib/secret-lib'", 'expected #lib/'],
    ['services/producer/x.ts', "import a from './y'", 'expected the file with its ending'],
    ['libs/client/x.ts', "import a from 'zod'", 'client has no dependency'],
    ['libs/agent/x.ts', "import type { A } from 'zod'", 'agent has no dependency'],
    ['libs/context/child/x.ts', "import a from 'pino'", 'a context loads no package'],
    ['libs/context/child/x.ts', "import a from '#lib/runtime'", 'a context does not load runtime'],
    ['libs/context/child/x.ts', "import a from '../pool.ts'", 'does not import code of the worker'],
    ['libs/context/child/x.ts', "const a = require('zod')", 'a context loads no package'],
  ])('%s: %s', (file, source, why) => {
    expect(violations(importsOf(file, source)).join()).toContain(why)
  })

  test.each([
    ['libs/secrets/x.ts', "import { a } from '#lib/vault'"],
    [
      'services/worker/x.ts',
      "import { a } from '#lib/context'\nimport b from './y/z.ts'\nimport pg from 'pg'",
    ],
    [
      'libs/context/child/x.ts',
      "import { a } from '#lib/wire'\nimport net from 'node:net'\nimport b from './y.ts'",
    ],
    ['libs/context/pool.ts', "import { a } from './child/port.ts'"],
  ])('a right one passes: %s: %s', (file, source) => {
    expect(violations(importsOf(file, source))).toEqual([])
  })
})
