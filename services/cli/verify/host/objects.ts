import { call } from '../canary/native.ts'
import { keyring, posixQueues, systemV } from '../canary/objects.ts'
import type { Mark } from '../canary/probe.ts'
import { Tries } from '../canary/tries.ts'

/** The worker's own objects in the kernel, which canaries must not find, and the removal of what canaries left there. */

const JOIN_SESSION = 1
const UNLINK = 9
const SEARCH = 10
const RINGS = [-3, -4, -5]
const REMOVE = 0

/** Leaves `me` in shared memory, a queue and a session keyring of this process. What a host lacks is left out. */
export async function plantObjects(me: Mark): Promise<void> {
  const tries = new Tries()
  await tries.try('session', () => void call('keyctl', JOIN_SESSION, 0))
  for (const probe of [systemV, posixQueues, keyring]) await probe.plant!(tries, me)
}

/** Removes every object of these marks that can be reached from here. */
export async function removeObjects(all: Mark[]): Promise<void> {
  const tries = new Tries()
  for (const { mark, key } of all) {
    await tries.try('shm', () => void call('shmctl', call('shmget', key, 0, 0), REMOVE, 0))
    await tries.try('sem', () => void call('semctl', call('semget', key, 0, 0), 0, REMOVE))
    await tries.try('msg', () => void call('msgctl', call('msgget', key, 0), REMOVE, 0))
    await tries.try('queue', () => void call('mq_unlink', mark))
    for (const ring of RINGS)
      await tries.try(
        'key',
        () => void call('keyctl', UNLINK, call('keyctl', SEARCH, ring, 'user', mark, 0), ring),
      )
  }
}
