/** Shorter forms are not searched for: they would be found everywhere. */
export const SHORTEST_FORM = 6

/** Bytes that a value may appear as. */
export interface Form {
  bytes: Buffer
  /** Upper and lower case mean the same, as in hex digits. Then `bytes` are lower case. */
  anyCase: boolean
}

/** Every form in which a value is searched for: raw, JSON, URL, base64 at its three offsets, base64url, hex. */
export function formsOf(value: string): Form[] {
  const bytes = Buffer.from(value)
  const exact = [
    value,
    asWord(value),
    ...jsonForms(value),
    ...[0, 1, 2].flatMap((offset) => base64Forms(bytes, offset)),
  ]
  const anyCase = [...urlForms(value), ...escapedUnits(value), bytes.toString('hex')]
  return [...distinct(exact, false), ...distinct(anyCase, true)]
}

/** As a context makes an error's type of it. */
const asWord = (value: string) => value.replaceAll(/[^\w.:/-]+/g, '-')

/** As a JSON string, as one with `\/`, and as JSON inside of a JSON string. */
function jsonForms(value: string): string[] {
  const escaped = inJson(value)
  return [escaped, escaped.replaceAll('/', String.raw`\/`), inJson(escaped)]
}

/** JSON that escapes what is not ASCII, or everything. */
function escapedUnits(value: string): string[] {
  return [inJson(value).replaceAll(/[^\x20-\x7e]/g, unit), value.replaceAll(/[^]/g, unit)]
}

/** Encoders differ in what they leave as it is: a component, a whole address, a form, RFC 3986, and one that leaves nothing. */
function urlForms(value: string): string[] {
  const wellFormed = value.toWellFormed()
  const component = encodeURIComponent(wellFormed)
  return [
    component,
    encodeURI(wellFormed),
    new URLSearchParams({ v: wellFormed }).toString().slice(2),
    component.replaceAll(/[!'()*]/g, percent),
    component.replaceAll(/[!'()*~._-]/g, percent),
    Buffer.from(value).toString('hex').replaceAll(/../g, '%$&'),
  ]
}

/** The base64 characters that the value alone decides when `offset` bytes of something else precede it. */
function base64Forms(bytes: Buffer, offset: number): string[] {
  const padded = Buffer.concat([Buffer.alloc(offset), bytes])
  const whole = padded.toString('base64').replace(/=+$/, '')
  const stable = whole.slice([0, 2, 3][offset], padded.length % 3 === 0 ? undefined : -1)
  return [stable, stable.replaceAll('+', '-').replaceAll('/', '_')]
}

function distinct(texts: string[], anyCase: boolean): Form[] {
  const spelled = texts.map((text) => (anyCase ? text.replaceAll(/[A-Z]/g, (c) => c.toLowerCase()) : text))
  const long = [...new Set(spelled)].map((text) => Buffer.from(text))
  return long.filter(({ length }) => length >= SHORTEST_FORM).map((bytes) => ({ bytes, anyCase }))
}

const inJson = (text: string) => JSON.stringify(text).slice(1, -1)
const percent = (one: string) => `%${one.charCodeAt(0).toString(16)}`
const unit = (one: string) => String.raw`\u` + one.charCodeAt(0).toString(16).padStart(4, '0')
