// For the tests of this room: the least store that applies a change of the group record, all of it or nothing.
import { NO_REVISION, type Revision, revision } from '../base/ids.ts'
import type { GroupChange } from './change.ts'

export interface Item {
  readonly key: string
  readonly value: string
  readonly rev: Revision
  readonly created: Revision
}

export class Keys {
  readonly #items = new Map<string, Item>()
  rev = NO_REVISION

  /** Whether its comparisons held. */
  apply({ compare, put, remove }: GroupChange): boolean {
    if (compare.some(({ key, rev }) => (this.#items.get(key)?.rev ?? 0) !== rev)) return false
    this.rev = revision(this.rev + 1)
    for (const { key, value } of put) {
      const created = this.#items.get(key)?.created ?? this.rev
      this.#items.set(key, { key, value, rev: this.rev, created })
    }
    for (const key of remove) this.#items.delete(key)
    return true
  }

  list(prefix: string): readonly Item[] {
    const found = [...this.#items.values()].filter(({ key }) => key.startsWith(prefix))
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  }
}
