import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { PermanentError } from '#lib/runtime'

/** A key file is missing or holds no Ed25519 key. Names the file, never its content. */
export class SigningKeyError extends PermanentError {
  override readonly name = 'SigningKeyError'
  constructor(file: string, expected: string, options?: ErrorOptions) {
    super(`${file}: expected ${expected}`, options)
  }
}

/** The producer's signing key: an Ed25519 private key, PKCS8 PEM. @throws SigningKeyError */
export function readSigningKey(file: string): KeyObject {
  return readKey(file, createPrivateKey, 'an Ed25519 private key (PKCS8 PEM)')
}

/** The key that verifies jobs: an Ed25519 public key, SPKI PEM. @throws SigningKeyError */
export function readPublicKey(file: string): KeyObject {
  return readKey(file, createPublicKey, 'an Ed25519 public key (SPKI PEM)')
}

/** The public half of a signing key. */
export function publicKeyOf(signingKey: KeyObject): KeyObject {
  return createPublicKey(signingKey)
}

/** A new signing key and its public half, as PEM: what `signingKeyFile` and `publicKeyFile` hold. */
export function createSigningKeyPem(): { signingKey: string; publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    signingKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }),
  }
}

function readKey(file: string, parse: (pem: Buffer) => KeyObject, expected: string): KeyObject {
  let key: KeyObject
  try {
    key = parse(readFileSync(file))
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    throw new SigningKeyError(file, code === 'ENOENT' ? `${expected}, found no file` : expected)
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new SigningKeyError(file, expected)
  return key
}
