import type { FastifyReply } from 'fastify'

const style = `
:root{color-scheme:light dark}
body{margin:0;min-height:100vh;display:grid;place-items:center;font:15px/1.5 system-ui,sans-serif;background:light-dark(#f4f6fa,#16181b);color:light-dark(#1a1a1a,#e4e4e4)}
main{width:min(24em,90vw)}
form{display:grid;gap:.8em}
label{display:grid;gap:.2em}
input,button{font:inherit;padding:.5em}
.problem{color:light-dark(#c22,#f66);min-height:1.5em;margin:0}`

/** The form that asks for an API key. `problem` is a text of ours. */
export function loginPage(reply: FastifyReply, problem = ''): FastifyReply {
  return page(
    reply,
    `<form method="post" action="/login"><p class="problem" role="alert">${problem}</p><label>API key<input name="key" type="password" autocomplete="off" autofocus required></label><button>Log in</button></form>`,
  )
}

/** Asks before it logs out, because a link is a GET and a GET changes nothing. */
export function logoutPage(reply: FastifyReply): FastifyReply {
  return page(
    reply,
    '<form method="post" action="/logout"><button>Log out</button></form><p><a href="/">Back</a></p>',
  )
}

function page(reply: FastifyReply, body: string): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .send(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>threadbound console</title><style>${style}</style></head><body><main><h1>threadbound console</h1>${body}</main></body></html>`,
    )
}
