/** Something that the person has to do; its message says exactly what. */
export class SetupError extends Error {
  name = 'SetupError'
}

/** One line on stderr: stdout belongs to the command that runs after the set-up. */
export function say(line) {
  process.stderr.write(`setup: ${line}\n`)
}
