/**
 * What keys of well-known services look like. Short forms count as well, since documents show keys as `sk-xxx`;
 * a path such as ./agents/sk-reader.ts does not.
 */
const KEY_SHAPES = [
  String.raw`(?<![\w./-])sk[-_][\w-]{3,}`,
  String.raw`(?<!\w)sk[-_](?=[\w-]{0,80}\d)[\w-]{16,}`,
  String.raw`(?<!\w)[rp]k_(?:live|test)_\w{3,}`,
  String.raw`(?<!\w)gh[opsur]_\w{3,}`,
  String.raw`(?<!\w)github_pat_\w{3,}`,
  String.raw`(?<!\w)glpat-[\w-]{3,}`,
  String.raw`(?<!\w)(?:AKIA|ASIA)[0-9A-Z]{8,}`,
  String.raw`(?<!\w)AIza[\w-]{20,}`,
  String.raw`(?<!\w)hv[sbr]\.[\w-]{3,}`,
  String.raw`(?<!\w)xox[abeprs]-[\w-]{3,}`,
  String.raw`(?<!\w)tbk_[\w-]{3,}`,
  String.raw`(?<!\w)eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*`,
  String.raw`-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----`,
  String.raw`(?<=\w:\/\/[^\s/:@]{0,100}:)[^\s/@]{1,200}(?=@)`,
]
const KEY = new RegExp(KEY_SHAPES.join('|'), 'g')

/** Keys of a mapping whose value can only be a secret. No key of the cluster file is among them. */
const SENSITIVE_KEY =
  /(?:^|[-_. ])(?:api-?key|(?:secret|access|private)-?key(?:-id)?|key|pass|passwd|password|passphrase|pwd|tokens?|credentials?|secret-?value|value)$/i

/** Where key material begins in a text; undefined where there is none. */
export function findKeyMaterial(text: string): number | undefined {
  const at = text.search(KEY)
  return at < 0 ? undefined : at
}

/** The text with key material cut out. */
export function hideKeyMaterial(text: string): string {
  return text.replaceAll(KEY, '…')
}

/** True for a key such as `api-key`, `db-password` or `accessToken`. */
export function isSensitiveKey(key: string): boolean {
  return SENSITIVE_KEY.test(kebab(key))
}

/** `maxConcurrency`, `max_concurrency` → `max-concurrency`. */
export function kebab(key: string): string {
  return key
    .slice(0, 200)
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase()
}
