#!/usr/bin/env node
/**
 * Makes a fresh machine ready for the project: dependencies, Node 26 and its libatomic, Redis, Postgres, bubblewrap.
 * It prints what it does on stderr only, starts no server and stops none.
 * This file and node-version.mjs also parse on a Node that is too old, so that it can be told so.
 */
import { tooOld } from './setup/node-version.mjs'

const fault = tooOld(process.version)
if (fault) {
  process.stderr.write(`setup: ${fault}\n`)
  process.exitCode = 1
} else void import('./setup/run.mjs')
