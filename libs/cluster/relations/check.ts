import type { Problem } from '../errors.ts'
import type { FileContent } from '../schema/file.ts'
import { pathText, printable } from '../source/printable.ts'
import { didYouMean } from '../source/suggest.ts'
import { keyPlaceOf, keysAt, type Node, nodeAt, placeOf } from '../source/tree.ts'

type Path = readonly PropertyKey[]

/** What a check of relations sees: the parts whose shape is right, and what was written at all. */
export class Check {
  readonly content: FileContent
  readonly problems: Problem[] = []
  readonly #root: Node

  constructor(content: FileContent, root: Node) {
    this.content = content
    this.#root = root
  }

  /** A problem with the value at a path. */
  report(path: Path, message: string): void {
    this.problems.push({ ...placeOf(this.#root, path), path: pathText(path), message })
  }

  /** A problem with a key itself. */
  reportKey(path: Path, message: string): void {
    this.problems.push({ ...keyPlaceOf(this.#root, path), path: pathText(path), message })
  }

  /** True when the file has something at this path, even of the wrong shape. */
  wrote(path: Path): boolean {
    return nodeAt(this.#root, path) !== undefined
  }

  /** The names of a section as written, even those whose entries have the wrong shape. */
  names(section: 'agents' | 'models' | 'secrets'): string[] {
    return keysAt(this.#root, [section])
  }

  /** The index that an entry of a list has in the file, since entries of the wrong shape are left out of `content`. */
  indexOf(path: Path, value: string): number {
    const node = nodeAt(this.#root, path)
    const items = node?.kind === 'list' ? node.items : []
    return Math.max(
      0,
      items.findIndex((item) => item.kind === 'scalar' && item.value === value),
    )
  }

  /** `no secret "orders-bd"; did you mean "orders-db"?` */
  unknownName(what: string, name: string, known: readonly string[]): string {
    return `no ${what} "${printable(name)}"${didYouMean(name, known)}`
  }
}
