const indents = Array.from({ length: 25 }, (_, depth) => `.d${depth}{padding-left:${depth * 1.1}em}`).join('')

/** The pages' style sheet, light and dark. */
export const style = `
:root{color-scheme:light dark;--line:light-dark(#ddd,#333);--muted:light-dark(#666,#999);--bar:light-dark(#4c7fd0,#6d9be6);--bad:light-dark(#c22,#f66)}
body{margin:0;font:14px/1.5 system-ui,sans-serif;background:light-dark(#fff,#16181b);color:light-dark(#1a1a1a,#e4e4e4)}
header{padding:.6em 1.5em;border-bottom:1px solid var(--line);font-weight:600}
main{padding:0 1.5em 2em}
h1{font-size:1.2em;overflow-wrap:anywhere}
a{color:inherit}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3em .8em .3em 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th.figure,td.figure,.figure{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
summary{display:grid;grid-template-columns:minmax(12em,26em) 9em 1fr 6em;gap:1em;align-items:center;padding:.15em 0;cursor:pointer;list-style:none;border-bottom:1px solid var(--line)}
summary:hover{background:light-dark(#f4f6fa,#20242a)}
.name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.name em{font-size:.8em;color:var(--muted)}
.service,.hint,dt{color:var(--muted)}
.service{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
svg{width:100%;height:.9em}
rect{fill:var(--bar)}
.error rect{fill:var(--bad)}
.error .name,td.error,.problem{color:var(--bad)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1em 1.2em;margin:.4em 0 .8em 1.5em;font-size:.92em}
dd{margin:0;overflow-wrap:anywhere;font-family:ui-monospace,monospace}
form{max-width:26em;display:grid;gap:.8em}
label{display:grid}
input,button{font:inherit;padding:.5em .7em;border-radius:5px;border:1px solid light-dark(#b8bfca,#4a515b)}
button{border-color:transparent;background:light-dark(#2f62b3,#6d9be6);color:light-dark(#fff,#111);cursor:pointer}
header a{text-decoration:none}
@media (max-width:700px){summary{grid-template-columns:minmax(9em,1fr) 1fr 5em}summary .service{display:none}}
${indents}`
