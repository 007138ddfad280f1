/** What a test can make the stand-in do, by `[[stand-in:…]]` in a prompt. */
export type Fault =
  | { kind: 'status'; status: number }
  | { kind: 'hang' }
  | { kind: 'slow'; ms: number }
  | { kind: 'echo-key' }

const FAULT = /\[\[stand-in:(\d{3}|hang|echo-key|slow (\d{1,6}))\]\]/

/** The first fault in a text: `429` and other statuses, `hang`, `slow <ms>` (before each piece), `echo-key`. */
export function faultIn(text: string): Fault | undefined {
  const [, name, ms] = FAULT.exec(text) ?? []
  if (!name) return undefined
  if (name === 'hang' || name === 'echo-key') return { kind: name }
  return ms === undefined ? { kind: 'status', status: Number(name) } : { kind: 'slow', ms: Number(ms) }
}
