import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { missingPrograms } from './programs.mjs'
import { say, SetupError } from './report.mjs'

const SCRIPT = fileURLToPath(new URL('apt-install.sh', import.meta.url))

/** Installs what is missing with one apt-get call, as root or by `sudo -n`; elsewhere it says what to install. */
export function installPrograms(missing) {
  const required = missing.filter((program) => !program.optional)
  const privileged = existsSync('/usr/bin/apt-get') ? asRoot() : undefined
  if (!privileged) return sayWhatIsMissing(missing)
  if (required.length > 0 && !apt(privileged, required)) throw new SetupError(advice(required, FAILED))
  for (const program of missing.filter((one) => one.optional && !apt(privileged, [one])))
    say(`${program.name} could not be installed; the tests that need it say so`)
  const left = missingPrograms(required, process.env)
  if (left.length > 0) throw new SetupError(advice(left, FAILED))
}

function sayWhatIsMissing(missing) {
  const required = missing.filter((program) => !program.optional)
  if (required.length > 0) throw new SetupError(advice(required, NOT_ROOT))
  for (const program of missing) say(`${program.name} is not there; the tests that need it say so`)
}

function apt([command, ...prefix], programs) {
  const packages = programs.map((program) => program.apt)
  say(`installing ${packages.join(', ')} (apt-get)`)
  const run = spawnSync(command, [...prefix, 'sh', SCRIPT, ...packages], { stdio: ['ignore', 2, 2] })
  return run.status === 0
}

/** How to run a command as root without a question: as it is, by `sudo -n`, or not at all. */
function asRoot() {
  if (process.getuid?.() === 0) return ['env']
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : undefined
}

/** Why the set-up has not installed it. */
export const NOT_ROOT = 'it cannot be installed from here without a password'
export const FAILED = 'apt-get could not install it (its own words are above)'

/** The sentence that says what to type, for this platform. */
export function advice(programs, why, platform = process.platform) {
  const names = programs.map((program) => program.name).join(', ')
  const redis = programs.some((program) => program.name === 'Redis')
    ? ' (or set REDIS_URL to a Redis that is running)'
    : ''
  if (platform === 'darwin')
    return `${names} missing; install: brew install ${programs.map((one) => one.brew ?? one.apt).join(' ')}${redis}`
  return (
    `${names} missing, and ${why}; as root, on Debian or Ubuntu: ` +
    `apt-get install ${programs.map((one) => one.apt).join(' ')}${redis}; elsewhere: the packages of the same purpose`
  )
}
