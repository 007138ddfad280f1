import * as z from 'zod'
import type { Problem } from '../errors.ts'
import { pathText, quote } from '../source/printable.ts'
import { didYouMean, nearest } from '../source/suggest.ts'
import { kebab } from '../source/key-material.ts'
import { keyPlaceOf, type Node, nodeAt, placeOf, valueOf } from '../source/tree.ts'
import { type FileContent, FileKeys } from './file.ts'
import { schemaAt } from './keys.ts'

type Issue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

/** What the schema makes of a file. */
export interface Shaped {
  /** All that has the right shape: what is wrong is left out, so that relations between the rest can be judged. */
  content: FileContent
  problems: Problem[]
}

/** Judges the shape of a file, key by key. */
export function checkShape(root: Node): Shaped {
  const raw = withoutEmptySections(valueOf(root))
  const first = FileKeys.safeParse(raw)
  if (first.success) return { content: first.data, problems: [] }
  const problems = first.error.issues.flatMap((issue) => problemsOf(issue, root))
  return { content: prune(raw, first.error.issues), problems }
}

/** A section with nothing under it (all its lines commented out, say) is as good as none. */
function withoutEmptySections(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value).filter(
    ([key, section]) =>
      section !== null || !(schemaAt([key]) instanceof z.ZodObject || schemaAt([key]) instanceof z.ZodRecord),
  )
  return Object.assign(Object.create(null), Object.fromEntries(entries))
}

function problemsOf(issue: Issue, root: Node): Problem[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey([...issue.path, key], root))
  const message = issue.code === 'invalid_type' ? wrongKind(issue, root) : issue.message
  return [{ ...placeOf(root, issue.path), path: pathText(issue.path), message }]
}

function unknownKey(path: Path, root: Node): Problem {
  const key = String(path.at(-1))
  const schema = schemaAt(path.slice(0, -1))
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
  const near = nearest(kebab(key), known)
  const hint = near === undefined ? `; expected one of ${known.join(', ')}` : didYouMean(kebab(key), known)
  return { ...keyPlaceOf(root, path), path: pathText(path), message: `unknown key${hint}` }
}

function wrongKind(issue: z.core.$ZodIssueInvalidType, root: Node): string {
  const expected = issue.expected === 'array' ? 'a list' : 'a mapping'
  return `expected ${expected}, got ${kindOf(nodeAt(root, issue.path))}`
}

/** Takes out what the issues point at, until the rest passes; each round removes something, so it ends. */
function prune(raw: unknown, issues: readonly Issue[]): FileContent {
  let rest = raw
  for (let left = issues; ;) {
    const culprits = left.flatMap((issue) => culpritsOf(issue, rest))
    for (const path of culprits) remove(rest, path)
    rest = dense(rest)
    const parsed = FileKeys.safeParse(rest)
    if (parsed.success) return parsed.data
    if (culprits.length === 0) return {}
    left = parsed.error.issues
  }
}

/** What to take out for an issue: the values it points at, or where one is missing, what it is missing from. */
function culpritsOf(issue: Issue, value: unknown): Path[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => [...issue.path, key])
  let length = 0
  for (let inner = value; length < issue.path.length; length++) {
    const key = issue.path[length]!
    if (!isContainer(inner) || !Object.hasOwn(inner, key)) break
    inner = inner[key as string]
  }
  return length > 0 ? [issue.path.slice(0, length)] : []
}

function remove(value: unknown, path: Path): void {
  let inner = value
  for (const key of path.slice(0, -1)) inner = isContainer(inner) ? inner[key as string] : undefined
  const last = path.at(-1) as string
  if (Array.isArray(inner)) inner[Number(last)] = undefined
  else if (isContainer(inner)) delete inner[last]
}

/** Lists without the holes that {@link remove} left; their other indices had to stay until now. */
function dense(value: unknown): unknown {
  if (!isContainer(value)) return value
  if (Array.isArray(value)) return value.filter((item) => item !== undefined).map(dense)
  for (const key of Object.keys(value)) value[key] = dense(value[key])
  return value
}

function kindOf(node: Node | undefined): string {
  if (!node || node.kind === 'scalar') return quote(node?.value)
  return node.kind === 'list' ? 'a list' : 'a mapping'
}

const isContainer = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
