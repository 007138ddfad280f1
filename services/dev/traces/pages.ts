import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import * as z from 'zod'
import { isOwnOrigin, pageHeaders } from '#lib/http'
import { buildTree, type TraceStore } from '#lib/traces'
import type { Access } from './access.ts'
import { html, Markup } from './html.ts'
import { style } from './style.ts'
import { listView, loginView, traceView } from './views.ts'

const Login = z.object({ token: z.string().catch(''), next: z.string().catch('') })
/** The style is part of the page and named by its hash; nothing else loads, runs, frames or posts elsewhere. */
const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`

/** The pages that a browser sees, behind the token as a login. */
export function pages(app: FastifyInstance, access: Access, store: TraceStore): void {
  app.addHook('onRequest', async (request, reply) => {
    if (request.method === 'POST' && !isOwnOrigin(request.headers))
      await page(reply.code(403), 'Refused', html`<p>This form was sent from another page.</p>`)
  })
  app.get<{ Querystring: { next?: string } }>('/login', async (request, reply) =>
    page(reply, 'Log in', loginView(ownPath(request.query.next))),
  )
  app.post('/login', async (request, reply) => {
    const { token, next } = Login.parse(request.body ?? {})
    if (!access.isToken(token))
      return page(reply.code(401), 'Log in', loginView(ownPath(next), 'That is not the token.'))
    access.begin(reply)
    return reply.redirect(ownPath(next), 303)
  })
  void app.register(async (scope) => behindLogin(scope, access, store))
}

function behindLogin(app: FastifyInstance, access: Access, store: TraceStore): void {
  app.addHook('onRequest', async (request, reply) => {
    if (!access.hasSession(request) && !access.hasBearer(request))
      await reply.redirect(`/login?next=${encodeURIComponent(ownPath(request.url))}`, 303)
  })
  app.get('/', async (_request, reply) => reply.redirect('/traces', 303))
  app.get('/traces', async (_request, reply) => page(reply, 'Traces', listView(store.recent())))
  app.get<{ Params: { traceId: string } }>('/traces/:traceId', async (request, reply) => {
    const tree = buildTree(store.spans(request.params.traceId))
    if (tree.rows.length > 0) return page(reply, `Trace ${tree.traceId}`, traceView(tree))
    return page(
      reply.code(404),
      'No such trace',
      html`<p>No spans of this trace have arrived (yet). <a href="/traces">All traces</a></p>`,
    )
  })
}

/** Where a login may lead to: one of our own pages, never another site. */
function ownPath(next: unknown): string {
  return typeof next === 'string' && /^\/traces\/[0-9a-f]{32}$/.test(next) ? next : '/traces'
}

function page(reply: FastifyReply, title: string, body: Markup): FastifyReply {
  const document = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${title} · threadbound</title>
        ${new Markup(`<style>${style}</style>`)}
      </head>
      <body>
        <header><a href="/traces">threadbound traces</a></header>
        <main>
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html>`
  return reply.headers(pageHeaders(POLICY)).type('text/html; charset=utf-8').send(document.text)
}
