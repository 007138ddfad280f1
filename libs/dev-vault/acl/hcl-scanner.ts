import { HclSyntaxError } from './policy-hcl.ts'

export type HclToken =
  | { kind: 'word' | 'string'; text: string }
  | { kind: '{' | '}' | '[' | ']' | '=' | ',' | 'end' }

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' }

/** Cuts a policy's text into tokens; skips white space and comments. */
export class Scanner {
  line = 1
  readonly #text: string
  #at = 0
  #peeked: HclToken | undefined

  constructor(text: string) {
    this.#text = text.startsWith('\uFEFF') ? text.slice(1) : text
  }

  /** The next token without taking it. */
  peek(): HclToken {
    this.#peeked ??= this.#scan()
    return this.#peeked
  }

  next(): HclToken {
    const token = this.peek()
    this.#peeked = undefined
    return token
  }

  error(problem: string): HclSyntaxError {
    return new HclSyntaxError(`line ${this.line}: ${problem}`)
  }

  #scan(): HclToken {
    this.#skip()
    const char = this.#text[this.#at]
    if (char === undefined) return { kind: 'end' }
    if ('{}[]=,'.includes(char)) {
      this.#at++
      return { kind: char as '{' }
    }
    if (char === '"') return { kind: 'string', text: this.#string() }
    if (this.#text.startsWith('<<', this.#at)) return { kind: 'string', text: this.#heredoc() }
    return { kind: 'word', text: this.#match(/[\p{L}\p{N}_.+-]+/uy) }
  }

  #skip(): void {
    for (;;) {
      const blank = /(?:[ \t\r\n]+|#[^\n]*|\/\/[^\n]*)/y
      blank.lastIndex = this.#at
      const found = blank.exec(this.#text)?.[0]
      if (found) this.#advance(found)
      else if (this.#text.startsWith('/*', this.#at)) this.#blockComment()
      else return
    }
  }

  #blockComment(): void {
    const end = this.#text.indexOf('*/', this.#at + 2)
    if (end < 0) throw this.error('comment is not closed')
    this.#advance(this.#text.slice(this.#at, end + 2))
  }

  #string(): string {
    let text = ''
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const char = this.#text[at]!
      if (char === '"') {
        this.#at = at + 1
        return text
      }
      if (char === '\n') break
      if (char === '\\') text += this.#escape(this.#text[++at])
      else text += char
    }
    throw this.error('string is not closed')
  }

  #escape(char: string | undefined): string {
    const escape = char !== undefined && Object.hasOwn(ESCAPES, char) ? ESCAPES[char] : undefined
    if (escape === undefined) throw this.error('unknown escape in a string')
    return escape
  }

  #heredoc(): string {
    const opening = this.#match(/<<-?[\p{L}\p{N}_]+\r?\n/uy)
    const name = opening.replace(/^<<-?/, '').trim()
    const end = new RegExp(`^[ \\t]*${name}[ \\t]*\\r?$`, 'm')
    const rest = this.#text.slice(this.#at)
    const found = end.exec(rest)
    if (!found) throw this.error(`heredoc ${name} is not closed`)
    this.#advance(rest.slice(0, found.index + found[0].length))
    return rest.slice(0, found.index)
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (!found) throw this.error(`unexpected character ${JSON.stringify(this.#text[this.#at])}`)
    this.#advance(found)
    return found
  }

  #advance(text: string): void {
    this.#at += text.length
    this.line += text.split('\n').length - 1
  }
}
