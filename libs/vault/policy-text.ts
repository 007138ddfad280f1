import type { VaultNames } from './names.ts'

/** A policy's text: its rules sorted, each once. */
export function policy({ scope }: VaultNames, rules: string[]): string {
  const header = `# managed by threadbound: cluster ${scope.cluster}, environment ${scope.environment}. Do not edit.`
  return [header, ...new Set(rules.toSorted(compare)), ''].join('\n')
}

/** What one path allows; `parameters`: the only ones that a call may have. */
export function rule(path: string, capability: string | string[], parameters: string[] = []): string {
  const capabilities = [capability].flat().map((one) => `"${one}"`)
  const allowed = parameters.map((parameter) => `    "${parameter}" = []`)
  const lines = allowed.length > 0 ? ['  allowed_parameters = {', ...allowed, '  }'] : []
  return [`path "${path}" {`, `  capabilities = [${capabilities.join(', ')}]`, ...lines, '}'].join('\n')
}

/** By code unit: the same on every machine. */
export const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b))
