// A service of a few lines for the supervisor's tests. Its name and behaviour come from the environment.
import { appendFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { Socket } from 'node:net'

const { TINY_NAME: name, TINY_NOTES: notes, TINY_MODE: mode = '' } = process.env
const note = (what) => appendFileSync(notes, `${name} ${what} ${process.pid}\n`)
const pipe = new Socket({ fd: 3, readable: true, writable: true }).on('error', () => {}).resume()

note('started')
if (mode.includes('child')) {
  const child = spawn(
    process.execPath,
    ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'],
    {
      stdio: 'ignore',
    },
  )
  note(`child:${child.pid}`)
}
const end = (why) => {
  note(why)
  if (!mode.includes('stubborn')) process.exit(0)
}
process.on('SIGTERM', () => end('SIGTERM'))
process.on('SIGINT', () => note('SIGINT'))
pipe.once('close', () => end('supervisor-gone'))
if (mode.includes('die-at-once')) {
  console.error('no such luck')
  process.exit(7)
}
if (!mode.includes('never-ready'))
  pipe.write(`not json\n${JSON.stringify({ ready: true, url: `tiny://${process.pid}` })}\n`)
setInterval(() => {}, 1000)
