import { execFileSync } from 'node:child_process'
import { LDD } from './tools.ts'

/** The files that the loader maps for a program, the loader among them. */
export function librariesOf(program: string): string[] {
  const listed = execFileSync(LDD, [program], { encoding: 'utf8', env: {} })
  return [...listed.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1]!)
}
