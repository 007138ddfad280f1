import * as v8 from 'node:v8'
import { past } from './beyond.ts'
import { type Facts, type Hostile, walled } from './hostile.ts'

/** Attempts on files of others, as in reach.ts: each gives the list of what it got. */

function writeFiles({ targets, own }: Facts): string[] {
  const fs = process.getBuiltinModule('node:fs')
  const folders = ['/', '/etc', '/usr/bin', '/root', '/home', '/var', '/run', '/dev', '/proc/sys/kernel', '.']
  const all = [...folders, targets.folder, ...targets.openFolders]
  const writes: ((folder: string) => void)[] = [
    (folder) => fs.writeFileSync(`${folder}/tb-planted`, 'x'),
    (folder) => fs.mkdirSync(`${folder}/tb-planted-folder`),
    (folder) => fs.symlinkSync('/etc/passwd', `${folder}/tb-planted-link`),
  ]
  return all.filter((folder) => !own.includes(folder) && writes.some((write) => works(() => write(folder))))

  function works(write: () => void): boolean {
    try {
      write()
      return true
    } catch {
      return false
    }
  }
}

/** Files of root's, by every way that Node has to a path; those that anyone may read are no secret. */
function readFiles({ targets }: Facts): string[] {
  const fs = process.getBuiltinModule('node:fs')
  const ways: Record<string, (path: string) => unknown> = {
    read: (path) => fs.readFileSync(path),
    copy: (path) => fs.copyFileSync(path, '/tmp/tb-copy'),
    link: (path) => fs.linkSync(path, '/tmp/tb-link'),
    write: (path) => fs.appendFileSync(path, 'x'),
    truncate: (path) => fs.truncateSync(path),
    remove: (path) => fs.rmSync(path),
    rename: (path) => fs.renameSync(path, `${path}.gone`),
    chmod: (path) => fs.chmodSync(path, 0o777),
    root: (path) => fs.readFileSync(`/proc/1/root${path}`),
    env: (path) => process.loadEnvFile(path),
    require: (path) => process.getBuiltinModule('node:module').createRequire('/')(path),
  }
  return Object.keys(ways).filter((way) => {
    try {
      ways[way]!(targets.secretFile)
      return true
    } catch {
      return false
    }
  })
}

function readPublic({ targets }: Facts): string {
  try {
    return process.getBuiltinModule('node:fs').readFileSync(targets.publicFile, 'utf8')
  } catch {
    return 'refused'
  }
}

/** `node:sqlite` asks Node's permission model nothing. */
function openDatabases({ targets, own }: Facts): string[] {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const target = targets.database
  const mine = () => new DatabaseSync(':memory:')
  const ways: Record<string, () => unknown> = {
    open: () => new DatabaseSync(target).prepare('SELECT * FROM secrets').all(),
    'open read-only': () =>
      new DatabaseSync(target, { readOnly: true }).prepare('SELECT * FROM secrets').all(),
    'open by URI': () =>
      new DatabaseSync(`file:${target}?immutable=1`).prepare('SELECT * FROM secrets').all(),
    attach: () => mine().exec(`ATTACH '${target}' AS theirs; SELECT * FROM theirs.secrets`),
    'write beside it': () => mine().exec(`CREATE TABLE a (b); VACUUM INTO '${targets.folder}/tb-planted.db'`),
    'write where all may': () =>
      targets.openFolders.some((folder) => !own.includes(folder) && write(`${folder}/tb-planted.db`)) ||
      fail(),
    extension: () => new DatabaseSync(':memory:', { allowExtension: true }).loadExtension('/tmp/tb-x.so'),
  }
  return Object.keys(ways).filter((way) => {
    try {
      ways[way]!()
      return true
    } catch {
      return false
    }
  })

  function write(path: string): boolean {
    try {
      mine().exec(`CREATE TABLE a (b); VACUUM INTO '${path}'`)
      return true
    } catch {
      return false
    }
  }
  function fail(): never {
    throw new Error('none')
  }
}

/** V8 writes where its flags say and asks the permission model nothing: what came of it is looked for outside, too. */
function setFlags({ targets, own }: Facts): string {
  const v8 = process.getBuiltinModule('node:v8')
  const fs = process.getBuiltinModule('node:fs')
  v8.setFlagsFromString('--trace-turbo')
  for (const [at, folder] of [targets.folder, ...targets.openFolders].entries()) {
    v8.setFlagsFromString(`--trace-turbo-path=${folder}`)
    v8.setFlagsFromString(`--trace-turbo-cfg-file=${folder}/tb-planted-cfg`)
    const hot = new Function(`let sum = ${at}; for (let i = 0; i < 3e6; i++) sum += i % 7; return sum`)
    hot()
    hot()
  }
  return own.some((folder) => fs.readdirSync(folder).length > 0)
    ? 'wrote in a folder of its own'
    : 'wrote nothing'
}

/** V8 ends the process when it cannot write what this asks for. */
function redirectTraces({ targets }: Facts): string {
  const v8 = process.getBuiltinModule('node:v8')
  v8.setFlagsFromString('--redirect-code-traces')
  v8.setFlagsFromString(`--redirect-code-traces-to=${targets.folder}/tb-planted-code`)
  v8.setFlagsFromString('--print-code')
  const hot = new Function('let sum = 0; for (let i = 0; i < 3e6; i++) sum += i % 7; return sum')
  return `tried ${hot() + hot() > 0}`
}

/** Node's own reports and snapshots. */
function report({ targets }: Facts): string {
  const path = `${targets.folder}/tb-planted-report`
  const ways: Record<string, () => unknown> = {
    snapshot: () => process.getBuiltinModule('node:v8').writeHeapSnapshot(path),
    report: () => Object.assign(process.report, { excludeNetwork: true }).writeReport(path),
    trace: () =>
      process
        .getBuiltinModule('node:trace_events')
        .createTracing({ categories: ['v8'] })
        .enable(),
  }
  for (const way of Object.values(ways))
    try {
      way()
    } catch {}
  return 'tried'
}

export const files: Hostile[] = [
  {
    name: 'writes outside of its folder',
    attack: (_ctx, facts) => past(facts, writeFiles),
    ends: walled('not promised', 'completed []'),
  },
  {
    name: 'files that only root may read',
    attack: (_ctx, facts) => past(facts, readFiles),
    ends: walled('not promised', 'completed []'),
  },
  {
    name: 'a file that every user of the host may read',
    attack: (_ctx, facts) => past(facts, readPublic),
    ends: walled('not promised', 'completed "refused"'),
    // A uid of its own is a user of the host.
    permitted: { process: ['completed "anyone"'] },
  },
  {
    name: 'node:sqlite on our files',
    attack: (_ctx, facts) => past(facts, openDatabases),
    ends: walled('not promised', 'completed []'),
  },
  {
    name: 'V8 flags that write files, set at run time',
    attack: (_ctx, facts) => past(facts, setFlags),
    ends: {
      thread: 'not promised',
      process: ['completed "wrote nothing"'],
      namespace: ['completed "wrote in a folder of its own"'],
    },
  },
  {
    name: 'V8 flags that write code, set at run time',
    attack: (_ctx, facts) => past(facts, redirectTraces),
    ends: walled('not promised', 'failed crashed', 'completed "tried true"'),
    permitted: walled('not promised', 'completed "ended by SIGTRAP"', 'completed "tried true"'),
  },
  {
    name: 'reports, snapshots and traces',
    attack: (_ctx, facts) => report(facts),
    ends: walled('not promised', 'completed "tried"'),
  },
  {
    name: 'a stack without a floor, by a V8 flag',
    attack() {
      v8.setFlagsFromString('--stack-size=1000000')
      const deeper = (): number => 1 + new Function('deeper', 'return deeper()')(deeper)
      return deeper()
    },
    ends: walled('not promised', 'failed crashed', 'failed RangeError'),
  },
  {
    name: 'a break into no debugger, by a V8 flag',
    attack() {
      v8.setFlagsFromString('--allow-natives-syntax')
      new Function('%SystemBreak()')()
    },
    ends: walled('not promised', 'failed crashed'),
  },
]
