// A service whose keys lie in keys.json beside this file, as a command that the rotator runs. Faults: the file `fault`.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'

const here = (name) => join(import.meta.dirname, name)
const read = (name, otherwise) => {
  try {
    return readFileSync(here(name), 'utf8')
  } catch {
    return otherwise
  }
}
const asked = JSON.parse(readFileSync(0, 'utf8'))
const keys = JSON.parse(read('keys.json', '[]'))
const save = (next) => writeFileSync(here('keys.json'), JSON.stringify(next))
const seen = {
  asked,
  uid: process.getuid(),
  groups: process.getgroups(),
  env: process.env,
  argv: process.argv.slice(2),
}
writeFileSync(here('seen.json'), JSON.stringify(seen))

const CALLS = {
  create({ name }) {
    const key = {
      id: `key-${keys.length + 1}`,
      name,
      value: randomBytes(16).toString('hex'),
      used: null,
      on: true,
    }
    save([...keys, key])
    return { id: key.id, value: key.value }
  },
  verify({ value }) {
    const known = keys.some((key) => key.value === value && key.on)
    save(keys.map((key) => (key.value === value ? { ...key, used: new Date().toISOString() } : key)))
    return known ? {} : { error: 'refused' }
  },
  'last-used': ({ id }) => ({ at: keys.find((key) => key.id === id)?.used ?? null, by: 'a test' }),
  identify: ({ value }) => ({ id: keys.find((key) => key.value === value)?.id ?? null }),
  disable: ({ id }) => turn(id, false),
  enable: ({ id }) => turn(id, true),
  revoke({ id }) {
    save(keys.filter((key) => key.id !== id))
    return {}
  },
  'find-orphans': () => ({ keys: keys.map(({ id, name }) => ({ id, name })) }),
}

function turn(id, on) {
  save(keys.map((key) => (key.id === id ? { ...key, on } : key)))
  return {}
}

const FAULTS = {
  hang: () => hang(),
  'hang-after'() {
    CALLS[asked.call](asked)
    hang()
  },
  'exit-3'() {
    console.error(JSON.stringify(asked))
    process.exit(3)
  },
  flood: () => process.stdout.write('x'.repeat(200_000)),
  garbage: () => console.log(`the value is ${asked.value}`),
  'says-value': () => console.log(JSON.stringify({ error: `refused: ${asked.value}` })),
  'says-word': () => console.log(JSON.stringify({ error: 'no-such-project' })),
  'leaves-child'() {
    const child = spawn('/bin/sleep', ['600'], { stdio: ['ignore', 'inherit', 'ignore'] })
    writeFileSync(here('child'), String(child.pid))
    child.unref()
    console.log('{}')
  },
}

/** Together with a child, which has to go too. */
function hang() {
  const child = spawn('/bin/sleep', ['600'], { stdio: 'ignore' })
  writeFileSync(here('child'), String(child.pid))
}

const [call, fault] = read('fault', '').split(' ')
if (call === asked.call) {
  rmSync(here('fault'))
  FAULTS[fault]()
} else console.log(JSON.stringify(CALLS[asked.call](asked)))
