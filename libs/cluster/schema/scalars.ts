import { parseDurationMs, parseSizeBytes } from '#lib/runtime'
import { didYouMean } from '../source/suggest.ts'
import { quote } from '../source/printable.ts'
import * as z from 'zod'
import { scalar } from './field.ts'

const NAME = /^[a-z][a-z0-9-]{0,40}$/
const RESERVED = ['constructor', 'prototype', '__proto__']

/** Why a text is no name; undefined when it is one. Names go into queue keys, Vault paths, folders and roles. */
export function nameFault(text: string): string | undefined {
  if (RESERVED.includes(text)) return `${quote(text)} is reserved and cannot be a name`
  if (NAME.test(text) && !text.includes('--')) return undefined
  return `expected a name of lower-case letters, digits and single dashes, at most 41 characters, beginning with a letter; got ${quote(text)}`
}

/** A name of a cluster, an environment, an agent type or a secret. */
export const name = () =>
  z.unknown().transform((value, context): string => {
    const fault = typeof value === 'string' ? nameFault(value) : `expected a name, got ${quote(value)}`
    if (fault === undefined) return value as string
    context.addIssue({ code: 'custom', message: value === undefined ? 'is missing; expected a name' : fault })
    return z.NEVER
  })

/** A duration between two others; gives milliseconds. */
export function duration(min: string, max: string) {
  const [low, high] = [parseDurationMs(min)!, parseDurationMs(max)!]
  return scalar(`a duration from ${min} to ${max}, such as 30s or 5m`, (value) => {
    const ms = typeof value === 'string' ? parseDurationMs(value) : undefined
    return ms !== undefined && ms >= low && ms <= high ? ms : undefined
  })
}

/** A size between two others; gives bytes. */
export function size(min: string, max: string) {
  const [low, high] = [parseSizeBytes(min)!, parseSizeBytes(max)!]
  return scalar(`a size from ${min} to ${max}, such as 50MB or 64MiB`, (value) => {
    const bytes = typeof value === 'string' ? parseSizeBytes(value) : undefined
    return bytes !== undefined && bytes >= low && bytes <= high ? bytes : undefined
  })
}

/** A whole number, quoted or not. */
export function integer(min: number, max: number) {
  return scalar(`a whole number from ${min} to ${max}`, (value) => {
    const number = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value
    return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max
      ? number
      : undefined
  })
}

/** `true` or `false`. */
export const flag = () => scalar('true or false', (value) => (typeof value === 'boolean' ? value : undefined))

/** Text with something in it, at most `max` characters. */
export const text = (expected: string, max = 1000) =>
  scalar(`${expected} (text of 1 to ${max} characters)`, (value) =>
    typeof value === 'string' && value.trim() !== '' && value.length <= max ? value : undefined,
  )

/** One of some words. */
export function oneOf<const T extends string>(words: readonly T[]) {
  return z.unknown().transform((value, context): T => {
    const word = words.find((word) => word === value)
    if (word !== undefined) return word
    const hint = typeof value === 'string' ? didYouMean(value, words) : ''
    const missing = value === undefined ? 'is missing; ' : ''
    const got = value === undefined ? '' : `, got ${quote(value)}`
    context.addIssue({
      code: 'custom',
      message: `${missing}expected one of ${words.join(', ')}${got}${hint}`,
    })
    return z.NEVER
  })
}

/** `90%`, above 0 and up to 100; gives the number. */
export const percent = () =>
  scalar('a percentage above 0% and up to 100%, such as 90%', (value) => {
    const match = typeof value === 'string' ? /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(value) : null
    const number = match ? Number(match[1]) : 0
    return number > 0 && number <= 100 ? number : undefined
  })
