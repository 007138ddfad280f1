/** Run by a test as a uid that is not root: what levels this host gives it, as JSON on stdout. */
import { probeLevels } from '#lib/context'

process.stdout.write(JSON.stringify(await probeLevels()))
