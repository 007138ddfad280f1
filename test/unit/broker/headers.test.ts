import { describe, expect, test } from 'vitest'
import { keyHeader, requestHeaders, responseHeaders } from '../../../libs/broker/headers.ts'

describe('G10: request headers are an allow-list', () => {
  test.each([
    'Host',
    'Authorization',
    'Cookie',
    'X-HTTP-Method-Override',
    'Forwarded',
    'X-Forwarded-For',
    'OpenAI-Organization',
    'OpenAI-Project',
    'Proxy-Authorization',
    'x-api-key',
    'Transfer-Encoding',
    'Connection',
    'Range',
  ])('%s does not leave', (name) =>
    expect(requestHeaders([[name, 'v']])).toEqual({ 'accept-encoding': 'identity' }),
  )

  test('content headers leave, and encodings are never asked for', () =>
    expect(
      requestHeaders([
        ['Content-Type', 'application/json'],
        ['Accept-Encoding', 'gzip'],
      ]),
    ).toEqual({ 'content-type': 'application/json', 'accept-encoding': 'identity' }))

  test('the key stands where the template says, literally', () =>
    expect(keyHeader('Authorization: Bearer {value}', 'a$&b')).toEqual(['authorization', 'Bearer a$&b']))

  test.each(['a\r\nX: y', 'a b', 'é', ''])('a value %j cannot stand in a header', (value) =>
    expect(() => keyHeader('x: {value}', value)).toThrow(/printable ASCII/),
  )
})

describe('response headers', () => {
  test('an encoded body is refused', () =>
    expect(() => responseHeaders({ 'content-encoding': 'gzip' }, String)).toThrow(/encoding/))

  test('cookies and lengths stay behind, and values are masked', () =>
    expect(
      responseHeaders({ 'set-cookie': ['a'], 'content-length': '9', 'x-echo': 'KEY' }, (text) =>
        text.replace('KEY', 'm'),
      ),
    ).toEqual({ 'x-echo': 'm' }))
})
