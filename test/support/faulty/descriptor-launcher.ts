/** A launcher that does not close what whoever started it left open: else as services/launcher/main.ts. */
import { Control } from '../../../services/launcher/control.ts'
import { Launcher } from '../../../services/launcher/launcher.ts'

const control = new Control(3)
await using launcher = await control.open((config, tell) => new Launcher(config, tell))
await control.serve((message) => launcher.handle(message))
