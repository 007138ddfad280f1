import { UidSource } from '#lib/context'

/** Takes the uids of so many blocks out of a folder, as a launcher does; prints the first of each block. */
const [folder = '', blocks = '0'] = process.argv.slice(2)
const uids = new UidSource(folder, { first: 0, last: 2 ** 30 })
const taken = Array.from({ length: Number(blocks) * 256 }, () => uids.take())
process.stdout.write(JSON.stringify(taken.filter((uid) => uid % 256 === 0)))
