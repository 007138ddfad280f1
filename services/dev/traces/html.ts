import { printable } from '#lib/traces'

/** Markup that is safe as it stands. Only {@link html} makes it. */
export class Markup {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** A template whose values are escaped, controls and bidirectional characters made visible; markup and lists of it pass. */
export function html(
  parts: TemplateStringsArray,
  ...values: (string | number | Markup | Markup[])[]
): Markup {
  return new Markup(String.raw({ raw: parts }, ...values.map(render)))
}

function render(value: string | number | Markup | Markup[]): string {
  if (Array.isArray(value)) return value.map((one) => one.text).join('')
  return value instanceof Markup ? value.text : escape(String(value))
}

const escape = (text: string) =>
  printable(text).replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`)
