import { mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type ClusterKey, clusterKeys, loadCluster } from '#lib/cluster'
import { bundleAgent } from '#lib/context'
import { temporaryDirectory } from '../support/directory.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FILE = join(ROOT, 'README.md')
const README = readFileSync(FILE, 'utf8')
const KEYS = /(?<=<!-- keys -->\n)[\s\S]*?(?=<!-- \/keys -->)/
/** Where what holds for agent types may be written, from the widest to one type. */
const PLACES = ['defaults.', 'thread-bound-agents.', 'agents.<name>.']

/** The table of keys: what may be written in all three places is one row. */
function keysTable(): string {
  const groups = Map.groupBy(clusterKeys(), (row) => {
    const place = PLACES.find((prefix) => row.key.startsWith(prefix))
    return place ? JSON.stringify({ ...row, key: row.key.slice(place.length) }) : row.key
  })
  const rows = [...groups.values()].map(rowOf)
  return ['', '| key | type | default | meaning |', '|---|---|---|---|', ...rows, '', ''].join('\n')
}

function rowOf(group: ClusterKey[]): string {
  const { key, type, default: fallback, meaning } = group.at(-1)!
  const shown = group.length === PLACES.length ? key.replace(PLACES[2]!, '*.') : key
  const also = group.length === 2 ? ' (also under `thread-bound-agents`)' : ''
  return `| \`${shown}\` | ${type} | ${fallback} | ${meaning}${also} |`
}

/** The text of a fenced block that holds `mark`. */
function sample(language: string, mark: string): string {
  const blocks = [...README.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))]
  const found = blocks.find((block) => block[1]!.includes(mark))
  if (!found) throw new Error(`README has no ${language} sample with ${JSON.stringify(mark)}`)
  return found[1]!
}

describe('the README', () => {
  test('holds the table of the cluster file as the schema has it (UPDATE_README=1 writes it)', () => {
    if (process.env['UPDATE_README']) writeFileSync(FILE, README.replace(KEYS, keysTable))
    const table = KEYS.exec(readFileSync(FILE, 'utf8'))?.[0]
    expect(table).toBe(keysTable())
  })

  test('has a cluster file that is valid, and an agent for it that can be bundled', async () => {
    using directory = temporaryDirectory()
    const root = realpathSync(directory.path)
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'))
    mkdirSync(join(root, 'agents'))
    writeFileSync(join(root, 'threadbound.yaml'), sample('yaml', 'cluster: shop'))
    writeFileSync(join(root, 'agents/database-agent.ts'), sample('ts', 'defineAgent'))
    const { agents } = await loadCluster(join(root, 'threadbound.yaml'))
    expect(Object.keys(agents)).toEqual(['request-handler', 'database-agent'])
    const { handler } = agents['database-agent']!
    expect(await bundleAgent({ root, file: handler! })).toBeDefined()
  })

  test('names only files and commands that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    for (const [, name] of README.matchAll(/npm run (?:--silent )?([a-z]+)/g))
      expect(scripts).toHaveProperty(name!)
    for (const [, path] of README.matchAll(/\]\(((?!https?:)[^)#]+)\)/g))
      expect(() => readFileSync(join(ROOT, path!))).not.toThrow()
  })
})
