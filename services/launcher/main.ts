import { closeInheritedDescriptors } from './descriptors.ts'
import { Control } from './control.ts'
import { Launcher } from './launcher.ts'

const CONTROL_FD = 3

closeInheritedDescriptors(CONTROL_FD)
const control = new Control(CONTROL_FD)
await using launcher = await control.open((config, tell) => new Launcher(config, tell))
await control.serve((message) => launcher.handle(message))
