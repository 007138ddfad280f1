/** A value in every form that is searched for, each after a word that is no secret: the word must be found again. */
export function formsOf(value: string): Record<string, string> {
  const bytes = Buffer.from(value)
  return {
    raw: value,
    json: JSON.stringify({ value }),
    url: new URLSearchParams({ value }).toString(),
    hex: bytes.toString('hex'),
    ...Object.fromEntries(
      ['', 'a', 'ab'].flatMap((before) => [
        [`base64 at ${before.length}`, Buffer.from(before + value).toString('base64')],
        [`base64url at ${before.length}`, Buffer.from(before + value).toString('base64url')],
      ]),
    ),
  }
}
