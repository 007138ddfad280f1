import { UpstreamError } from '#lib/broker'
import { GrantRefusedError, SecretDeniedError, SecretUnavailableError } from '#lib/secrets'
import { ForgedJobError } from '#lib/queue'
import { AuditUnavailableError } from '#lib/audit'
import { expect, test } from 'vitest'
import { NoGrantError } from '../../../services/sidecar/errors.ts'
import { failureOf } from '../../../services/sidecar/failure.ts'
import { socketPath } from '../../../services/sidecar/type-socket.ts'

test.each([
  [new NoGrantError(), 403, 'no-grant'],
  [new GrantRefusedError('context-claimed', 'c'), 409, 'context-claimed'],
  [new ForgedJobError('x'), 403, 'forged'],
  [new SecretDeniedError('a', 'b'), 403, 'secret-denied'],
  [new SecretUnavailableError('b'), 503, 'secret-unavailable'],
  [new AuditUnavailableError('f'), 503, 'audit-unavailable'],
  [new UpstreamError('upstream-timeout', 'm'), 504, 'upstream-timeout'],
])('%s', (error, status, type) =>
  expect(failureOf(error)).toMatchObject({ status, type, message: error.message }),
)

test.each([new TypeError('sk-secret'), { type: 'constructor' }, 'sk-secret', undefined])(
  'I7: an error that nobody foresaw says nothing of itself',
  (error) => {
    expect(failureOf(error)).toMatchObject({ status: 503, type: 'sidecar-failed' })
    expect(JSON.stringify(failureOf(error))).not.toContain('sk-secret')
  },
)

test('a socket path that the kernel would cut is refused with the directory’s name', () => {
  expect(socketPath('/run/tb', 'writer')).toBe('/run/tb/writer/sidecar.sock')
  expect(() => socketPath(`/run/${'x'.repeat(90)}`, 'writer')).toThrow(/TB_SOCKET_DIR.*106 bytes/)
})
