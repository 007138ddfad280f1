/** A program that the project runs beside Node. */
export interface Program {
  name: string
  apt: string
  brew?: string
  optional?: boolean
  linuxOnly?: boolean
  found(directories: string[]): boolean
}
export function wantedPrograms(options: {
  forTests: boolean
  env: NodeJS.ProcessEnv
  node: string
}): Program[]
export function missingPrograms(
  wanted: Program[],
  env: NodeJS.ProcessEnv,
  platform?: NodeJS.Platform,
): Program[]
