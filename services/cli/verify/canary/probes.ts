import { databases, privateFiles, publicFiles, writes } from './files.ts'
import { asyncStorage, globals, modules, prototypePollution, timers } from './heap.ts'
import { kernelCalls } from './kernel.ts'
import * as network from './network.ts'
import { keyring, posixQueues, systemV } from './objects.ts'
import type { Probe } from './probe.ts'
import { leftProcess, processList, servicesProc, siblingsProc, signals, tracing } from './processes.ts'
import { descriptors, environment, openFolder, place, temporaryFiles } from './surroundings.ts'

/** Everything that a canary tries, in the order of the matrix. A new one is an entry here and no more. */
export const PROBES: readonly Probe[] = [
  globals,
  prototypePollution,
  modules,
  timers,
  asyncStorage,
  environment,
  place,
  temporaryFiles,
  systemV,
  posixQueues,
  keyring,
  descriptors,
  privateFiles,
  databases,
  writes,
  openFolder,
  publicFiles,
  network.tcp,
  network.udp,
  network.abstract,
  network.everyListener,
  network.interfaces,
  network.networkTables,
  network.vsock,
  network.redis,
  network.vault,
  network.privateSocket,
  network.workerSocket,
  network.openSocket,
  network.everyPath,
  network.anySocket,
  servicesProc,
  siblingsProc,
  processList,
  signals,
  tracing,
  leftProcess,
  kernelCalls,
]
