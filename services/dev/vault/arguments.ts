import { parseArgs } from 'node:util'

/** `--data FOLDER` of the command line as the variable that it stands for. */
export function withArguments(env: NodeJS.ProcessEnv, args: string[]): NodeJS.ProcessEnv {
  const { values } = parseArgs({ args, options: { data: { type: 'string' } } })
  return values.data === undefined ? env : { ...env, TB_DATA: values.data }
}
