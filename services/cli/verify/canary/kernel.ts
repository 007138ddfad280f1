import { call } from './native.ts'
import { type Probe, SEALED } from './probe.ts'

const IO_URING_PARAMETERS = 120
const BPF_MAP_CREATE = 0

/** What has been the way out of many a sandbox. */
export const kernelCalls: Probe = {
  name: 'kernel-calls',
  tried: 'io_uring, userfaultfd, bpf and perf_event_open',
  promised: SEALED,
  async reach(tries) {
    const array = Buffer.alloc(72)
    for (const [at, value] of [2, 4, 4, 1].entries()) array.writeUInt32LE(value, at * 4)
    const event = Buffer.alloc(128)
    event.writeUInt32LE(1)
    event.writeUInt32LE(128, 4)
    const tried = {
      io_uring: () => call('io_uring_setup', 1, Buffer.alloc(IO_URING_PARAMETERS)),
      userfaultfd: () => call('userfaultfd', 1),
      bpf: () => call('bpf', BPF_MAP_CREATE, array, array.length),
      perf_event_open: () => call('perf_event_open', event, 0, -1, -1, 0),
    }
    for (const [name, make] of Object.entries(tried)) await tries.try(name, () => call('close', make()) === 0)
  },
}
