import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a package that was built needs of the checkout's manifest; no dependency is among it. */
const KEPT = ['name', 'version', 'description', 'license', 'type', 'bin', 'exports', 'files']
/** The oldest Node that the built JavaScript runs on. */
const ENGINES = { node: '>=20' }

/** Puts the package's manifest in place of the checkout's, which is kept beside it until {@link restoreManifest}. */
export function trimManifest(root: string): void {
  restoreManifest(root)
  const manifest = join(root, 'package.json')
  const whole = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, unknown>
  const kept = Object.fromEntries(KEPT.map((key) => [key, whole[key]]))
  renameSync(manifest, backupOf(root))
  writeFileSync(manifest, `${JSON.stringify({ ...kept, engines: ENGINES }, undefined, 2)}\n`)
}

/** Puts the checkout's manifest back, also after a pack that was cut short. */
export function restoreManifest(root: string): void {
  if (existsSync(backupOf(root))) renameSync(backupOf(root), join(root, 'package.json'))
}

const backupOf = (root: string) => join(root, '.package.json.checkout')
