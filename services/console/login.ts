import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import {
  type ApiKey,
  type ApiKeys,
  bearerOf,
  cookieSettings,
  LoginLimit,
  SESSION_MS,
  Sessions,
} from '#lib/http'
import { BOARD_PATH } from './board.ts'
import { loginPage, logoutPage } from './pages.ts'

const COOKIE = 'tb_console'
const Form = z.object({ key: z.string().max(256).catch('') })

/** The login: an API key opens a session, or comes along as Bearer. Every route but /login is behind it, unknown ones too. */
export function registerLogin(app: FastifyInstance, keys: ApiKeys): void {
  const sessions = new Sessions()
  const limit = new LoginLimit()

  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.url === '/login' || operatorOf(request, keys, sessions)) return
    await askForLogin(request, reply)
  })
  app.get('/login', async (_request, reply) => loginPage(reply))
  app.post('/login', async (request, reply) => {
    const waitMs = limit.waitMs(request.ip)
    if (waitMs > 0) {
      void reply.code(429).header('retry-after', Math.ceil(waitMs / 1000))
      return loginPage(reply, 'Too many wrong keys. Wait a minute.')
    }
    const operator = person(keys.find(Form.catch({ key: '' }).parse(request.body).key))
    if (!operator) {
      limit.failed(request.ip)
      return loginPage(reply.code(401), 'That key does not open the console. A worker’s own key never does.')
    }
    void reply.setCookie(COOKIE, sessions.begin(operator.hash), cookieSettings(SESSION_MS))
    return reply.redirect(`${BOARD_PATH}/`, 303)
  })
  app.get('/', async (_request, reply) => reply.redirect(`${BOARD_PATH}/`, 303))
  app.get('/logout', async (_request, reply) => logoutPage(reply))
  app.post('/logout', async (request, reply) => {
    sessions.end(request.cookies[COOKIE])
    void reply.clearCookie(COOKIE, cookieSettings(0))
    return reply.redirect('/login', 303)
  })
}

/** Who asks. A session ends with its key: one that was taken out of the file logs its sessions out. */
function operatorOf(request: FastifyRequest, keys: ApiKeys, sessions: Sessions): ApiKey | undefined {
  const bearer = bearerOf(request.headers.authorization)
  if (bearer !== undefined) return person(keys.find(bearer))
  const hash = sessions.keyHashOf(request.cookies[COOKIE])
  return hash === undefined ? undefined : person(keys.findByHash(hash))
}

/** A worker's key opens nothing here: it belongs to a process, not to a person. */
const person = (key: ApiKey | undefined) => (key?.agentType === undefined ? key : undefined)

/** A browser that wants a page goes to the form; everything else gets a 401. */
function askForLogin(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const wantsPage = request.method === 'GET' && /\btext\/html\b/.test(request.headers.accept ?? '')
  if (wantsPage) return reply.redirect('/login', 303)
  return reply
    .code(401)
    .header('www-authenticate', 'Bearer')
    .send({ error: 'expected a login, or Authorization: Bearer <API key>' })
}
