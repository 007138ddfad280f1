import { ClusterFileError, type Cluster, type Files, parseCluster, type Problem } from '#lib/cluster'

/** A disk on which every path is a file and no path is a link. */
export const anyFile: Files = { realpath: (path) => path, isFile: () => true }

/** Parses a text as the file /cluster/threadbound.yaml of a disk that has every file. */
export function parse(text: string, file = '/cluster/threadbound.yaml'): Cluster {
  return parseCluster(text, { file, files: anyFile })
}

/** The problems of a text; none when it parses. Anything else that is thrown passes through. */
export function problemsOf(text: string, file = '/cluster/threadbound.yaml'): readonly Problem[] {
  try {
    parse(text, file)
    return []
  } catch (error) {
    if (error instanceof ClusterFileError) return error.problems
    throw error
  }
}

/** Problems as short lines: `3:5 agents.a.timeout: …`. */
export function linesOf(text: string, file?: string): string[] {
  return problemsOf(text, file).map(
    ({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`,
  )
}

/** A cluster file that uses every key. */
export const FULL = `cluster: demo
environment: dev
development: { stand-in: [anthropic, openai, postgres] }
defaults: { attempts: 2, timeout: 20s, memory-limit: 40MB, isolation: process, memory: { max-age: 2h } }
thread-bound-agents:
  isolation: namespace
  max-concurrency: 40
  memory-limit: 64MiB
  timeout: 10s
  memory: { max-age: 30m }
agents:
  coordinator:
    type: singleton
    model: claude-opus-4-5-thinking
    handler: ./agents/coordinator.ts
    may-call: [request-handler, database-agent]
  request-handler:
    type: thread-bound
    model: claude-sonnet-4.2
    system: You answer support requests in one paragraph.
    max-concurrency: "100"
    accept-unsigned: true
  database-agent:
    type: thread-bound
    model: gpt-4-turbo
    handler: ./agents/database-agent.ts
    permissions: []
    attempts: 5
    secrets: [orders-db]
models:
  claude-*: { provider: anthropic, secret: anthropic-api-key }
  gpt-*:    { provider: openai, secret: openai-api-key }
secrets:
  anthropic-api-key:
    provider: anthropic
    egress: { base-url: "https://api.anthropic.com", header: "x-api-key: {value}", allow: ["POST /v1/messages"] }
    deliver: broker
    rotate: weekly
  openai-api-key:
    provider: openai
    egress: { base-url: "https://api.openai.com", header: "authorization: Bearer {value}", allow: ["POST /v1/chat/completions"] }
    rotate: { every: daily, project: proj-demo, admin-secret: openai-admin-key }
    cache: { fresh: 10s, stale: 0s }
    sources: [127.0.0.0/8, "::1/128"]
  openai-admin-key: { provider: openai-admin }
  orders-db-admin: { provider: postgres-admin }
  orders-db:
    provider: postgres
    connect: { host: 127.0.0.1, port: "5432", database: orders, admin-secret: orders-db-admin }
    grant: ["SELECT ON ALL TABLES IN SCHEMA public"]
    ttl: 5m
alerts: { concurrency-above: 80%, unexpected-source: false, rotation-failed: true, webhook: "http://127.0.0.1:9099/alerts" }
`

/** Section 1.2 of the article. */
export const ARTICLE_AGENTS = `# openclaw.json 配置示例
agents:
  # 主協調器(單例)
  coordinator:
    type: singleton
    model: claude-opus-4-5-thinking
  # 請求處理智能體(線程綁定)
  request-handler:
    type: thread-bound
    model: claude-sonnet-4.2
    max-concurrency: 100
  # 數據庫操作智能體(線程綁定)
  database-agent:
    type: thread-bound
    model: gpt-4-turbo
    max-concurrency: 50
`

/** Section 5.2 of the article. */
export const ARTICLE_LIMITS = `{
  "thread-bound-agents": {
    "memory-limit": "50MB",
    "timeout": "30s",
    "max-concurrency": "50"
  }
}
`

/** Section 3.1 of the article, principle 2: keys in the file. */
export const ARTICLE_KEYS = `// ✅ 推薦配置
{
  "secrets": {
    "openai": {
      "api-key": "sk-xxx",
      "model": "claude-opus-4-5"
    },
    "anthropic": {
      "api-key": "sk-ant-xxx",
      "model": "claude-sonnet-4.2"
    },
    "database": {
      "db-user": "user",
      "db-password": "pass-4711"
    }
  }
}
`
