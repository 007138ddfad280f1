import type { FastifyReply } from 'fastify'

const style = `
:root{color-scheme:light dark}
body{margin:0;min-height:100vh;display:grid;place-items:center;font:15px/1.5 system-ui,sans-serif;background:light-dark(#f4f6fa,#16181b);color:light-dark(#1a1a1a,#e4e4e4)}
main{box-sizing:border-box;width:min(26em,92vw);padding:1.6em 2em 1.8em;border:1px solid light-dark(#dde1e8,#33383f);border-radius:8px;background:light-dark(#fff,#1d2024)}
h1{margin:0 0 .2em;font-size:1.35em}
form{display:grid;gap:.9em}
label{display:grid;gap:.25em}
input,button{font:inherit;padding:.5em .7em;border-radius:5px;border:1px solid light-dark(#b8bfca,#4a515b)}
button{border-color:transparent;background:light-dark(#2f62b3,#6d9be6);color:light-dark(#fff,#111);cursor:pointer}
.hint{margin:0;font-size:.9em;color:light-dark(#666,#999)}
.problem{color:light-dark(#c22,#f66);min-height:1.5em;margin:0}`

/** The form that asks for an API key. `problem` is a text of ours. */
export function loginPage(reply: FastifyReply, problem = ''): FastifyReply {
  return page(
    reply,
    `<form method="post" action="/login"><p class="problem" role="alert">${problem}</p><label>API key<input name="key" type="password" autocomplete="off" autofocus required></label><button>Log in</button><p class="hint"><code>threadbound up</code> says in which file the key is.</p></form>`,
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
