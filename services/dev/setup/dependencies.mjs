import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { say, SetupError } from './report.mjs'

const NODE_MAJOR = 26

/** Runs `npm ci` when node_modules is missing or was made from another lockfile. A node_modules that is a link belongs to someone else. */
export function ensureDependencies(root) {
  const modules = join(root, 'node_modules')
  if (isLink(modules)) return
  const stamp = join(modules, '.threadbound-lock')
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    say('installing dependencies (npm ci)')
    npmCi(root)
    writeFileSync(stamp, wanted)
  }
  linkNode(root)
}

/**
 * Lays node_modules/.bin/node where npm has not. Up to npm 10 a platform's package that does not fit is deleted together
 * with its commands, and all of them name the command `node`: the fitting one's link goes with the others.
 */
function linkNode(root) {
  const link = nodeOf(root)
  if (existsSync(link)) return
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const brought = Object.keys(optionalDependencies).find((name) =>
    existsSync(join(root, 'node_modules', name, 'bin', 'node')),
  )
  if (brought) symlinkSync(`../${brought}/bin/node`, link)
}

/** Checks that the platform package brought Node 26, and that it runs. */
export function ensureNode(root) {
  const { error, stdout, stderr } = askVersion(root)
  if (Number(/^v(\d+)\./.exec(stdout ?? '')?.[1]) >= NODE_MAJOR) return
  const has = error ? 'is not there' : `says "${(stdout || stderr).trim()}"`
  throw new SetupError(
    `node_modules/.bin/node ${has}; Node ${NODE_MAJOR} was expected. No package brings it for ` +
      `${process.platform}-${process.arch}, or optional packages were left out: run "npm ci --include=optional", ` +
      'or use Linux (glibc) or macOS on x64 or arm64.',
  )
}

/**
 * Takes the link to a Node that cannot run away: npm puts it first on the PATH of its scripts, and the next set-up could
 * not even say what is missing.
 */
export function unlinkBrokenNode(root) {
  if (isLink(join(root, 'node_modules'))) return
  if (askVersion(root).status !== 0) rmSync(nodeOf(root), { force: true })
}

const askVersion = (root) => spawnSync(nodeOf(root), ['--version'], { encoding: 'utf8' })

/** Where npm scripts and npx find the project's own Node. */
export const nodeOf = (root) => join(root, 'node_modules', '.bin', 'node')

/** The project's own node_modules/.bin is taken off the PATH: npm ci deletes the Node that it would run on. */
function npmCi(root) {
  const own = join(root, 'node_modules', '.bin')
  const PATH = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((directory) => directory !== own)
    .join(delimiter)
  const args = [
    'ci',
    '--ignore-scripts',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]
  const run = spawnSync('npm', args, { cwd: root, env: { ...process.env, PATH }, stdio: ['ignore', 2, 2] })
  if (run.error) throw new SetupError(`npm cannot be run (${run.error.code}): install npm beside Node`)
  if (run.status !== 0) throw new SetupError(`npm ci failed with ${run.signal ?? `exit code ${run.status}`}`)
}

function isLink(path) {
  try {
    return lstatSync(path).isSymbolicLink()
  } catch {
    return false
  }
}
