/** What `Authorization: Bearer <text>` shows; undefined when the header is none or says something else. */
export function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
}
