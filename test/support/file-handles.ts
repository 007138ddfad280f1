import { open } from 'node:fs/promises'

type Disk = Record<'datasync' | 'truncate', () => Promise<void>>

/** What all file handles share, so that a test can make the disk fail. */
export async function fileHandlePrototype(file: string): Promise<Disk> {
  const handle = await open(file, 'r')
  await handle.close()
  return Object.getPrototypeOf(handle) as Disk
}
