#!/usr/bin/env node
/**
 * Makes a fresh machine ready for the project: dependencies, Node 26 and its libatomic, Redis, Postgres, bubblewrap.
 * Plain JavaScript for Node >= 18, because it runs before the project's own Node is there.
 * It prints what it does on stderr only, starts no server and stops none.
 */
import { fileURLToPath } from 'node:url'
import { SetupError, say } from './setup/report.mjs'
import { ensureDependencies, ensureNode, nodeOf, unlinkBrokenNode } from './setup/dependencies.mjs'
import { missingPrograms, wantedPrograms } from './setup/programs.mjs'
import { installPrograms } from './setup/install.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const forTests = process.argv.includes('--test') || process.env.TB_SETUP === 'test'

try {
  ensureDependencies(root)
  const wanted = wantedPrograms({ forTests, env: process.env, node: nodeOf(root) })
  const missing = missingPrograms(wanted, process.env)
  if (missing.length > 0) installPrograms(missing)
  ensureNode(root)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  say(error.message)
  unlinkBrokenNode(root)
  process.exitCode = 1
}
