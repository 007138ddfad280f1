import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const CLAIM = fileURLToPath(new URL('../support/claim-uids.ts', import.meta.url))
const run = promisify(execFile)

test('I1: launchers that claim uids at the same time never share one, and leave one entry for all', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tb-uids-'))
  try {
    const claimed = await Promise.all(
      [1, 2, 3, 4].map(() => run(process.execPath, [CLAIM, folder, '300'], { maxBuffer: 1e7 })),
    )
    const blocks = claimed.flatMap(({ stdout }) => JSON.parse(stdout) as number[])
    expect(blocks).toHaveLength(1200)
    expect(new Set(blocks).size).toBe(1200)
    expect(readdirSync(folder)).toEqual([String(Math.max(...blocks) / 256)])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
