#!/usr/bin/env node
// The command as a checkout or an installed package has it. Plain JavaScript: any Node may be on the PATH.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const source = here('main.ts')
const node = here('../../node_modules/.bin/node')

if (!existsSync(source)) {
  await import(new URL('../../dist/cli/main.js', import.meta.url))
} else if (!existsSync(node)) {
  process.stderr.write(`threadbound: ${node} is not there: run "npm run setup" in the checkout\n`)
  process.exitCode = 1
} else {
  run(node, [source, ...process.argv.slice(2)])
}

/** Becomes the program where Node can; else starts it, hands signals on, and ends as it ends. */
function run(program, args) {
  if (Number(process.versions.node.split('.')[0]) >= 26)
    process.execve(program, [program, ...args], process.env)
  const child = spawn(program, args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => isOwn(signal) || child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`threadbound: ${program} cannot be run: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    } else process.exitCode = code ?? 1
  })
}

/** Ctrl-C reaches the whole foreground group: handed on as well it would be a second one, which ends `up` without a drain. */
function isOwn(signal) {
  return signal === 'SIGINT' && process.stdin.isTTY
}
