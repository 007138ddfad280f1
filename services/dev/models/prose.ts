/**
 * A paragraph made of the prompt's own sentences, the same for the same prompt. It reads like a support reply, or like
 * a summary where the prompt asks for one; it knows nothing that the prompt does not say.
 */
export function proseFor({ system, user }: { system: string; user: string }): string {
  const sentences = sentencesOf(user)
  if (sentences.length === 0) return 'There is nothing in the message that I could answer.'
  if (/\b(summar|merge|combine|consolidat|condense)/i.test(`${system}\n${user}`)) return summaryOf(user)
  const question = sentences.findLast((sentence) => sentence.endsWith('?'))
  const facts = sentences.filter((sentence) => sentence !== question).slice(0, 2)
  return [
    'Thank you for writing to us.',
    ...(facts.length > 0 ? [`You told us: ${facts.map(withoutEnd).join('; ')}.`] : []),
    question
      ? `As to your question, "${question}": a colleague can settle it with the details you gave.`
      : `We have noted ${topicOf(sentences)} and are looking into it.`,
    'Please reply to this message if anything is missing.',
  ].join(' ')
}

/** The answers in a prompt, one after the other: its labelled or listed lines, else its first sentences. */
function summaryOf(user: string): string {
  const listed = [...user.matchAll(/^\s*(?:[-*]|\d+[.)]|([\w -]{2,40}):)\s*(.+)$/gm)]
    .filter(
      ([, label, text]) => !/^(task|question|request|instructions?)$/i.test(label ?? '') && text!.trim(),
    )
    .map(([, label, text]) => (label ? `${label.trim()}: ${text!.trim()}` : text!.trim()))
  const asked = /\b(summar|merge|combine|consolidat|condense)\w*\b/i
  const parts = listed.length > 0 ? listed : sentencesOf(user).filter((sentence) => !asked.test(sentence))
  return `In short: ${parts.slice(0, 8).map(withoutEnd).join('; ')}.`
}

function sentencesOf(text: string): string[] {
  const flat = text.replaceAll(/\[\[stand-in:[^\]]*\]\]/g, '').replaceAll(/\s+/g, ' ')
  return flat
    .split(/(?<=[.!?])\s+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => /[\p{L}\p{N}]/u.test(sentence))
}

const withoutEnd = (sentence: string) => sentence.replace(/[.!?]+$/, '')

/** The longest words of a message, in their order: what it is about. */
function topicOf(sentences: string[]): string {
  const words = sentences.join(' ').match(/\p{L}{4,}/gu) ?? []
  const longest = new Set(words.toSorted((a, b) => b.length - a.length).slice(0, 3))
  return longest.size > 0 ? `"${[...longest].join(', ')}"` : 'your message'
}
