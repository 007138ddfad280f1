import { AsyncLocalStorage } from 'node:async_hooks'
import * as path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ALL, isForeign, type Mark, type Probe } from './probe.ts'
import type { Tries } from './tries.ts'

/** What one attempt could leave in the memory of a process for the next one. */

const kept: string[] = []
const own = globalThis as unknown as Record<PropertyKey, unknown>
const TICKS = Symbol.for('threadbound.canary.ticks')
const CAPTURED = Symbol.for('threadbound.canary.captured')
const prototypes = [Object.prototype, Array.prototype, Function.prototype, Promise.prototype]
const ticks = () => (own[TICKS] ??= new Set<string>()) as Set<string>
const captured = () => (own[CAPTURED] ??= new Map()) as Map<string, () => string | undefined>

const mutate = (target: object, { mark }: Mark) =>
  Reflect.defineProperty(target, mark, { value: mark, configurable: true })

async function names(tries: Tries, me: Mark, from: object): Promise<void> {
  const found = Object.getOwnPropertyNames(from).filter((name) => isForeign(name, me))
  for (const name of found) await tries.try(name, () => true)
}

export const globals: Probe = {
  name: 'globals',
  tried: 'properties of globalThis that others set',
  promised: ALL,
  plant: (_tries, me) => void mutate(globalThis, me),
  look: (tries, me) => names(tries, me, globalThis),
}

export const prototypePollution: Probe = {
  name: 'prototypes',
  tried: 'properties of Object, Array, Function and Promise prototypes that others set',
  promised: ALL,
  plant: (_tries, me) => void prototypes.map((prototype) => mutate(prototype, me)),
  async look(tries, me) {
    for (const prototype of prototypes) await names(tries, me, prototype)
  },
}

export const modules: Probe = {
  name: 'modules',
  tried: "state of the agent's own module and of Node's modules",
  promised: ALL,
  plant(_tries, me) {
    kept.push(me.mark)
    mutate(process.getBuiltinModule('node:path'), me)
  },
  async look(tries, me) {
    for (const mark of kept.filter((name) => isForeign(name, me))) await tries.try(mark, () => true)
    await names(tries, me, path)
    await names(tries, me, process.getBuiltinModule('node:path'))
  },
}

export const timers: Probe = {
  name: 'timers',
  tried: 'timers of others that still fire',
  promised: ALL,
  plant: (_tries, { mark }) => void setInterval(() => ticks().add(mark), 1),
  async look(tries, me) {
    ticks().clear()
    await delay(20)
    for (const mark of [...ticks()].filter((name) => isForeign(name, me))) await tries.try(mark, () => true)
  },
}

export const asyncStorage: Probe = {
  name: 'async-storage',
  tried: 'stores of AsyncLocalStorage that others entered',
  promised: ALL,
  plant(_tries, { mark }) {
    const storage = new AsyncLocalStorage<string>()
    storage.run(mark, () => {
      const inside = AsyncLocalStorage.snapshot()
      captured().set(mark, () => inside(() => storage.getStore()))
    })
  },
  async look(tries, me) {
    for (const [mark, read] of captured()) if (isForeign(mark, me)) await tries.try('store', read)
  },
}
