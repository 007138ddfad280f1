import type { Program } from './programs.mjs'

export function installPrograms(missing: Program[]): void
export function advice(programs: Program[], platform?: NodeJS.Platform): string
