import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { keepAccessors, keptAccessors } from '../../../services/sidecar/accessor-file.ts'
import { temporaryDirectory } from '../../support/directory.ts'

test('what was kept last is read, also where more was kept before; nobody else may read it', () => {
  using folder = temporaryDirectory()
  const file = join(folder.path, 'accessor')
  expect(keptAccessors(file)).toEqual([])
  keepAccessors(file, ['first', 'second'])
  expect(keptAccessors(file)).toEqual(['first', 'second'])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  keepAccessors(file, ['third'])
  expect(keptAccessors(file)).toEqual(['third'])
  expect(readFileSync(file).length).toBeGreaterThan('third\n\n'.length)
})
