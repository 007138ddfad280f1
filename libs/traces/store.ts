import type { DatabaseSync } from 'node:sqlite'
import { type Clock, systemClock } from '#lib/runtime'
import { attribute } from '#lib/telemetry'
import { parseOtlp } from './otlp.ts'
import type { StoredSpan } from './stored-span.ts'

/** Where spans are kept and how many. */
export interface TraceStoreOptions {
  /** The database's path; `:memory:` keeps nothing. */
  file: string
  /** The oldest go when there are more. Default: 200,000 (about 200 MB of ours). */
  maxSpans?: number
  /** Older ones go. Default: 7 days. */
  maxAgeMs?: number
  clock?: Clock
}

/** One line about a trace. */
export interface TraceSummary {
  traceId: string
  /** Of the first span without a parent in the trace, else of the first. */
  name: string
  service: string
  /** What that span says of a request: which agent type it went to. */
  agentType?: string
  startMs: number
  durationMs: number
  spans: number
  errors: number
}

/** More spans of one trace are not read: a tree of more is of use to nobody. */
const MAX_TRACE_SPANS = 10_000
const PRUNE_EVERY = 2000
const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS span (
    id INTEGER PRIMARY KEY, trace_id TEXT NOT NULL, span_id TEXT NOT NULL, received_ms REAL NOT NULL,
    start_ms REAL NOT NULL, end_ms REAL NOT NULL, is_root INTEGER NOT NULL, is_error INTEGER NOT NULL,
    is_claim INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (trace_id, span_id)
  ) STRICT;`
/** A context knows the ids of the spans around it, and its claims arrive first: they must not stand in for the real ones. */
const INSERT = `
  INSERT INTO span (trace_id, span_id, received_ms, start_ms, end_ms, is_root, is_error, is_claim, body)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (trace_id, span_id) DO UPDATE SET received_ms = excluded.received_ms, start_ms = excluded.start_ms,
    end_ms = excluded.end_ms, is_root = excluded.is_root, is_error = excluded.is_error, is_claim = 0, body = excluded.body
  WHERE span.is_claim = 1 AND excluded.is_claim = 0`
const RECENT = `
  WITH latest AS (
    SELECT trace_id, max(id) AS last FROM (SELECT id, trace_id FROM span ORDER BY id DESC LIMIT 20000)
    GROUP BY trace_id ORDER BY last DESC LIMIT ?)
  SELECT span.trace_id AS traceId, min(start_ms) AS startMs, max(end_ms) - min(start_ms) AS durationMs,
    count(*) AS spans, sum(is_error) AS errors,
    (SELECT body FROM span AS first WHERE first.trace_id = span.trace_id ORDER BY is_root DESC, start_ms LIMIT 1) AS body
  FROM latest JOIN span USING (trace_id) GROUP BY span.trace_id ORDER BY last DESC`

/** Spans in a SQLite file, bounded in number and age. */
export class TraceStore implements AsyncDisposable {
  readonly #db: DatabaseSync
  readonly #limits: { maxSpans: number; maxAgeMs: number }
  readonly #clock: Clock
  #sincePrune = 0

  private constructor({ file, maxSpans = 200_000, maxAgeMs = 7 * 86_400_000, clock }: TraceStoreOptions) {
    // When it is needed: the command reads traces over HTTP, also on a Node that has no such module.
    const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite')
    this.#db = new Database(file)
    this.#limits = { maxSpans, maxAgeMs }
    this.#clock = clock ?? systemClock
    this.#db.exec(SCHEMA)
  }

  /** Opens the file, makes it where there is none, and prunes it. */
  static async open(options: TraceStoreOptions): Promise<TraceStore> {
    const store = new TraceStore(options)
    store.prune()
    return store
  }

  /**
   * Stores the spans of an OTLP/JSON export, all or none; gives their number.
   * @throws OtlpError
   */
  ingest(body: unknown): number {
    const spans = parseOtlp(body)
    this.#db.exec('BEGIN')
    try {
      const insert = this.#db.prepare(INSERT)
      for (const span of spans) insert.run(...this.#row(span))
      this.#db.exec('COMMIT')
    } catch (error) {
      this.#db.exec('ROLLBACK')
      throw error
    }
    this.#sincePrune += spans.length
    if (this.#sincePrune >= PRUNE_EVERY) this.prune()
    return spans.length
  }

  /** The spans of a trace by start, 10,000 at most. An unknown trace has none. */
  spans(traceId: string): StoredSpan[] {
    const rows = this.#db
      .prepare('SELECT body FROM span WHERE trace_id = ? ORDER BY start_ms, id LIMIT ?')
      .all(traceId, MAX_TRACE_SPANS)
    return rows.map((row) => JSON.parse(String(row['body'])) as StoredSpan)
  }

  /** The traces that got spans last, newest first. */
  recent(limit = 50): TraceSummary[] {
    return this.#db
      .prepare(RECENT)
      .all(limit)
      .map(({ body, ...figures }) => {
        const { name, service, attributes } = JSON.parse(String(body)) as StoredSpan
        const agentType = attributes[attribute.agentType]
        return {
          ...(figures as unknown as Omit<TraceSummary, 'name' | 'service'>),
          name,
          service,
          ...(typeof agentType === 'string' ? { agentType } : {}),
        }
      })
  }

  /** Lets go of what is too old or too much; gives the number of spans. Also happens by itself every 2000 spans. */
  prune(): number {
    this.#sincePrune = 0
    const { maxSpans, maxAgeMs } = this.#limits
    const aged = this.#db.prepare('DELETE FROM span WHERE received_ms < ?').run(this.#clock.now() - maxAgeMs)
    const excess = this.#db
      .prepare('DELETE FROM span WHERE id <= (SELECT id FROM span ORDER BY id DESC LIMIT 1 OFFSET ?)')
      .run(maxSpans)
    return Number(aged.changes) + Number(excess.changes)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#db.isOpen) this.#db.close()
  }

  #row(span: StoredSpan) {
    const { traceId, spanId, startMs, endMs, parentSpanId, status, attributes } = span
    return [
      traceId,
      spanId,
      this.#clock.now(),
      startMs,
      endMs,
      parentSpanId ? 0 : 1,
      status === 'error' ? 1 : 0,
      attributes[attribute.claim] === true ? 1 : 0,
      JSON.stringify(span),
    ] as const
  }
}
