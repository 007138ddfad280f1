import type { Program } from './programs.mjs'

export function installPrograms(missing: Program[]): void
export const NOT_ROOT: string
export const FAILED: string
export function advice(programs: Program[], why: string, platform?: NodeJS.Platform): string
