/**
 * A paragraph made of the prompt's own sentences, the same for the same prompt. It reads like a support reply, or like
 * a summary where the prompt asks for one; it knows nothing that the prompt does not say.
 */
export function proseFor({ system, user }: { system: string; user: string }): string {
  const sentences = sentencesOf(user)
  if (sentences.length === 0) return 'There is nothing in the message that I could answer.'
  if (/\b(summar|merge|combine|consolidat|condense)/i.test(`${system}\n${user}`)) return summaryOf(user)
  const question = sentences.findLast((sentence) => /[?？]$/.test(sentence))
  const told = sentences.filter((sentence) => sentence !== question).slice(0, 3)
  return [
    'Thank you for your message.',
    ...(told.length > 0 ? [`You wrote: "${told.join(' ')}"`] : []),
    question
      ? `A colleague will look into your question, "${question}", and answer it today.`
      : 'A colleague will look into it and answer you today.',
  ].join(' ')
}

/** The answers in a prompt, one after the other: its labelled or listed lines, else its first sentences. */
function summaryOf(user: string): string {
  const listed = [...user.matchAll(/^\s*(?:[-*]|\d+[.)]|([^:\n]{2,200}):)\s+(.+)$/gm)]
    .filter(
      ([, label, text]) => !/^(task|question|request|instructions?)$/i.test(label ?? '') && text!.trim(),
    )
    .map(([, label, text]) => labelled(label?.trim(), readable(text!.trim())))
  const asked = /\b(summar|merge|combine|consolidat|condense)\w*\b/i
  const parts = listed.length > 0 ? listed : sentencesOf(user).filter((sentence) => !asked.test(sentence))
  return parts
    .slice(0, 8)
    .map((part) => (/[.!?"]$/.test(part) ? part : `${part}.`))
    .join(' ')
}

/** An answer needs no label; facts keep theirs. */
function labelled(label: string | undefined, text: string): string {
  return label === undefined || /^(reply|answer)$/i.test(label) ? text : `${label}: ${text}`
}

/** Rows of a database as a person would read them aloud: `name Keyboard, price 79.00; name Mouse, price 35.50`. */
function readable(text: string): string {
  const rows = text.startsWith('[{') ? rowsIn(text) : []
  if (rows.length === 0) return text
  return rows
    .map((row) =>
      Object.entries(row)
        .map(([name, value]) => `${name} ${String(value)}`)
        .join(', '),
    )
    .join('; ')
}

function rowsIn(text: string): Record<string, unknown>[] {
  try {
    return JSON.parse(text) as Record<string, unknown>[]
  } catch {
    return []
  }
}

function sentencesOf(text: string): string[] {
  const flat = text.replaceAll(/\[\[stand-in:[^\]]*\]\]/g, '').replaceAll(/\s+/g, ' ')
  return flat
    .split(/(?<=[.!?])\s+|(?<=[。！？])/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => /[\p{L}\p{N}]/u.test(sentence))
}
