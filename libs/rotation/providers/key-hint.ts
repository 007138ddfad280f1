/** The least that a hint must show of a key to name it. */
const LEAST = 6

/** True when `hint`, a key with its middle left out as providers list it (`sk-svc...9fQz`), is of this value. */
export function isHintOf(hint: string, value: string): boolean {
  const [, start, end] = /^([^.*…]*)(?:\.{2,}|\*+|…)([^.*…]*)$/u.exec(hint) ?? []
  if (start === undefined || end === undefined || start.length + end.length < LEAST) return false
  return value.length >= start.length + end.length && value.startsWith(start) && value.endsWith(end)
}
