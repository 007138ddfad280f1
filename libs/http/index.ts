/**
 * What our own HTTP services share: who may enter, and from where.
 *
 * H1 A key or a token is compared by its hash, in constant time, and neither is kept nor repeated in an error.
 * H2 A session ends at its time, with its service, and is worth nothing but the id that a browser holds.
 * H3 On loopback only requests that name this machine are served, and only our own pages may write.
 */
export { ApiKey, ApiKeys, findApiKey, readApiKeys } from './api-keys.ts'
export { bearerOf } from './bearer.ts'
export { listen, type Listening } from './listen.ts'
export { listenForOperators, OperatorAccess } from './operators.ts'
export { LoginLimit } from './login-limit.ts'
export { isLoopbackHost, isOwnOrigin } from './origin.ts'
export { pageHeaders } from './page-headers.ts'
export { cookieSettings, SESSION_MS, Sessions } from './sessions.ts'
