/**
 * The headers of every page for people: never cached, never framed, never guessed at, under this content security policy.
 * The referrer policy is not `no-referrer`: with it a browser sends `Origin: null` on our own forms.
 */
export function pageHeaders(policy: string): Record<string, string> {
  return {
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'same-origin',
    'cache-control': 'no-store',
  }
}
