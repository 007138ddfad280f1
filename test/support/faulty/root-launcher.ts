/** A launcher whose walls leave out the change of uid. */
import { NamespaceWalls, ProcessWalls, type Walls } from '#lib/context'

type Command = Walls['command']

const IDENTITY = /^--(?:reuid|regid|clear-groups|bounding-set|inh-caps)/

const ofProcess = Object.getOwnPropertyDescriptor(ProcessWalls.prototype, 'command')!.value as Command
ProcessWalls.prototype.command = function command(limits, uid) {
  const made = ofProcess.call(this, limits, uid)
  const args = made.args.filter((arg) => !IDENTITY.test(arg) && arg !== String(uid))
  return { ...made, args }
}

const ofNamespace = Object.getOwnPropertyDescriptor(NamespaceWalls.prototype, 'command')!.value as Command
NamespaceWalls.prototype.command = function command(limits, uid) {
  const { runAs: _, ...made } = ofNamespace.call(this, limits, uid)
  return made
}

await import('../../../services/launcher/main.ts')
