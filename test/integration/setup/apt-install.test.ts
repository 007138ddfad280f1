import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../support/directory.ts'

const SCRIPT = fileURLToPath(new URL('../../../services/dev/setup/apt-install.sh', import.meta.url))
/** Root in a namespace of its own, where /etc and /usr/sbin are empty folders in memory. */
const UNSHARE = ['--map-root-user', '--mount']
const canUnshare = spawnSync('unshare', [...UNSHARE, 'true']).status === 0

/** What apt-get would do: ask for the policy, read the clusters' file, and lay the package's own beside it as ucf does. */
const APT_GET = `#!/bin/sh
case " $* " in *" install "*) ;; *) exit 0 ;; esac
/usr/sbin/policy-rc.d redis-server start; echo "policy: $?"
cat /etc/postgresql-common/createcluster.conf
echo 'packaged' >/etc/postgresql-common/createcluster.conf.ucf-dist
exit $APT_EXIT
`

/** Runs the script with packages; `before` prepares the machine, and the output ends with what is there afterwards. */
function install(options: { before?: string; exit?: number } = {}) {
  using directory = temporaryDirectory()
  const seen = join(directory.path, 'seen')
  mkdirSync(join(directory.path, 'tools'))
  const apt = APT_GET.replace('#!/bin/sh', `#!/bin/sh\nexec >>${seen}`)
  writeFileSync(join(directory.path, 'tools/apt-get'), apt, { mode: 0o755 })
  for (const name of ['systemctl', 'update-rc.d'])
    writeFileSync(join(directory.path, 'tools', name), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  const lines = [
    'mount -t tmpfs none /etc && mount -t tmpfs none /usr/sbin || exit 99',
    options.before ?? '',
    `sh ${SCRIPT} redis-server postgresql; echo "exit: $?" >>${seen}`,
    `cd /etc/postgresql-common; for f in /usr/sbin/* *; do [ -f $f ] && echo "$f: $(cat $f)" >>${seen}; done`,
    `cat ${seen}`,
  ]
  const PATH = `${directory.path}/tools:/usr/bin:/bin`
  const env = { PATH, APT_EXIT: String(options.exit ?? 0) }
  const run = spawnSync('unshare', [...UNSHARE, 'sh', '-c', lines.join('\n')], { encoding: 'utf8', env })
  return run.stdout.trim().split('\n')
}

const CONF = '/etc/postgresql-common/createcluster.conf'
const MARK = '# written by the threadbound set-up, removed when it ends'
const DURING = ['policy: 101', MARK, 'create_main_cluster = false']

describe.skipIf(!canUnshare)('while packages are installed', () => {
  test('no service starts and no cluster is made, and then the machine has the packages alone', () => {
    expect(install()).toEqual([...DURING, 'exit: 0', 'createcluster.conf: packaged'])
  })

  test('a failed install leaves the machine as it was, and is told', () => {
    expect(install({ exit: 100 })).toEqual([...DURING, 'exit: 1', 'createcluster.conf: packaged'])
  })

  test("an administrator's own settings come back", () => {
    const before = `mkdir /etc/postgresql-common; echo 'ssl = on' >${CONF}`
    expect(install({ before }).filter((line) => !line.startsWith('createcluster.conf.ucf-dist'))).toEqual([
      'policy: 101',
      'ssl = on',
      ...DURING.slice(1),
      'exit: 0',
      'createcluster.conf: ssl = on',
    ])
  })

  test('what a killed set-up left is taken away', () => {
    const policy = `printf '#!/bin/sh\n${MARK}\nexit 101\n' >/usr/sbin/policy-rc.d`
    const before = `${policy}; mkdir /etc/postgresql-common; printf '${MARK}\ncreate_main_cluster = false\n' >${CONF}`
    expect(install({ before })).toEqual([...DURING, 'exit: 0', 'createcluster.conf: packaged'])
  })
})
