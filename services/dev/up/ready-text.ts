import type { ReadyLine, UpState } from './state-file.ts'

/** What `up` prints on stdout when everything is ready: one JSON line, or a few lines for people. */
export function readyText(state: UpState, json: boolean): string {
  const { producer, console, vault, redis, traces, tracesTokenFile, apiKeyFile } = state
  const line: ReadyLine = { ready: true, producer, console, vault, redis, traces, apiKeyFile }
  if (json) return `${JSON.stringify(line)}\n`
  return [
    'threadbound is ready. Ctrl-C stops it.',
    `  producer  ${producer}`,
    `  console   ${console}`,
    `  traces    ${traces}${tracesTokenFile ? '' : ' (OTEL_EXPORTER_OTLP_ENDPOINT)'}`,
    `  vault     ${vault}`,
    `  API key   ${apiKeyFile}, also the login of the console`,
    ...(tracesTokenFile ? [`  token     ${tracesTokenFile}, the login of the traces`] : []),
    '',
  ].join('\n')
}
