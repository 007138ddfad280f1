import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const file = fileURLToPath(new URL('../../../services/launcher/descriptors.ts', import.meta.url))
/** Descriptors that a child of a Node process has, which itself was given 250. */
const childSees = (close: string) => {
  const script = `
    const { closeInheritedDescriptors } = await import(${JSON.stringify(file)})
    ${close}
    const { execFileSync } = await import('node:child_process')
    console.log(execFileSync('ls', ['/proc/self/fd'], { encoding: 'utf8' }))`
  const start = [
    '-c',
    'exec 250</dev/null; exec "$0" "$@"',
    process.execPath,
    '--input-type=module',
    '-e',
    script,
  ]
  return execFileSync('bash', start, { encoding: 'utf8' }).trim().split(/\s+/)
}

test('I4: a descriptor that our starter left open reaches a child, unless it is closed first', () => {
  expect(childSees('')).toContain('250')
  expect(childSees('closeInheritedDescriptors(3)')).not.toContain('250')
})
