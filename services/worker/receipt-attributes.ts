import { attribute } from '#lib/telemetry'
import type { Receipt } from '#lib/wire'
import type { Attributes } from '@opentelemetry/api'

/** A receipt as attributes of its attempt's span; what was not measured has none. */
export function receiptAttributes(receipt: Receipt): Attributes {
  return {
    [attribute.contextId]: receipt.context,
    [attribute.contextLevel]: receipt.level,
    [attribute.contextReuse]: receipt.reuse,
    [attribute.contextPid]: receipt.pid,
    [attribute.contextUid]: receipt.uid,
    [attribute.contextEndedBy]: receipt.endedBy,
    [attribute.contextExitCode]: receipt.exitCode ?? undefined,
    [attribute.contextSignal]: receipt.signal ?? undefined,
    [attribute.peakBytes]: receipt.peakBytes ?? undefined,
    [attribute.overshootBytes]: receipt.overshootBytes ?? undefined,
    [attribute.cpuMs]: receipt.cpuMs ?? undefined,
    [attribute.contextStartedAt]: receipt.startedAt,
    [attribute.contextReadyAt]: receipt.readyAt ?? undefined,
    [attribute.contextAcquiredAt]: receipt.acquiredAt ?? undefined,
    [attribute.contextEndedAt]: receipt.endedAt,
    [attribute.leftOverProcesses]: receipt.leftOver.processes ?? undefined,
    [attribute.leftOverIpcObjects]: receipt.leftOver.ipcObjects ?? undefined,
    ...limits(receipt),
  }
}

function limits(receipt: Receipt): Attributes {
  const held = Object.entries(receipt.limits).filter(([, limit]) => limit !== null)
  return Object.fromEntries(
    held.map(([name, limit]) => [`${attribute.contextLimit}.${name}`, `${limit!.value} ${limit!.by}`]),
  )
}
