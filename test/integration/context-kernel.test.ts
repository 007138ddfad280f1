import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { NamespaceWalls } from '#lib/context'
import { levels } from '../support/contexts.ts'

/** Tries every way to a socket, with Node's own permission model off. */
const PROBE = `
const net = require('node:net'), dgram = require('node:dgram')
const ask = (make) => new Promise((done) => {
  try { const s = make(done); s.once('error', (e) => done(e.code)) } catch (e) { done(e.code) }
})
;(async () => console.log(JSON.stringify({
  tcp: await ask((done) => net.connect(1, '127.0.0.1').once('connect', () => done('open'))),
  tcp6: await ask((done) => net.connect(1, '::1').once('connect', () => done('open'))),
  listen: await ask((done) => net.createServer().listen(0, () => done('open'))),
  unix: await ask((done) => net.createServer().listen('/tmp/s', () => done('open'))),
  abstract: await ask((done) => net.createServer().listen('\\0s', () => done('open'))),
  udp4: await ask((done) => dgram.createSocket('udp4').bind(0, () => done('open'))),
  udp6: await ask((done) => dgram.createSocket('udp6').bind(0, () => done('open'))),
  write: await ask((done) => require('node:fs').createWriteStream('/x').once('open', () => done('open'))),
  environment: Object.keys(process.env).filter((name) => name !== 'PWD'),
})))()
`

describe.runIf(levels.includes('namespace'))('I4: the kernel alone holds the walls of namespace', () => {
  test('with the permission model off no socket of any family can be made', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tb-walls-'))
    const walls = new NamespaceWalls({ node: process.execPath, folder, ownUid: false })
    const limits = { heapMiB: 64, outputBytes: 1000, childProcess: false, worker: false }
    const { file, args, fds } = walls.command(limits, 0)
    const open = args.filter((arg) => arg !== '--permission' && !arg.startsWith('--allow-'))
    const five = Array.from({ length: 5 }, () => 'ignore' as const)
    const child = spawn(file, open, {
      env: {},
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit', ...five, ...fds],
    })
    for (const fd of fds) if (typeof fd === 'number') closeSync(fd)
    child.stdin!.end(PROBE)
    const said = await child.stdout!.toArray()
    if (child.exitCode === null) await once(child, 'exit')
    rmSync(folder, { recursive: true })
    const EPERM = Object.fromEntries(
      ['tcp', 'tcp6', 'listen', 'unix', 'abstract', 'udp4', 'udp6'].map((name) => [name, 'EPERM']),
    )
    expect(JSON.parse(Buffer.concat(said).toString())).toEqual({ ...EPERM, write: 'EROFS', environment: [] })
  })
})
