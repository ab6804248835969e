// Connections that have not logged in: as many as there may be, of all and from one address. Who comes when there are too
// many is let in, and the one that has kept the target waiting longest is closed: an initiator that logs in at once is
// not kept out by those that say nothing.
//
// Invariants:
//   DW1. There are never more than `DOORWAY_MAX` of them, nor more than `DOORWAY_SOURCE_MAX` from one address.
//   DW2. The one that came first goes first, of those for which the target waits; one about which the group decides goes
//        only if there is no other.
import { DOORWAY_MAX, DOORWAY_SOURCE_MAX } from './memory-bounds.ts'

export interface Waiting {
  /** The address that it comes from. */
  readonly source: string
  /** The target waits for its initiator, and not the initiator for the target. */
  readonly isAwaited: boolean
  close(reason: string): void
}

export class Doorway {
  readonly #waiting = new Set<Waiting>()
  readonly #bySource = new Map<string, Set<Waiting>>()

  came(connection: Waiting): void {
    const { source } = connection
    const ofSource = this.#bySource.get(source) ?? new Set()
    if (ofSource.size >= DOORWAY_SOURCE_MAX) this.#closeOne(ofSource, 'too many from its address')
    if (this.#waiting.size >= DOORWAY_MAX) this.#closeOne(this.#waiting, 'too many')
    this.#bySource.set(source, ofSource.add(connection))
    this.#waiting.add(connection)
  }

  /** It has logged in, or is gone. */
  left(connection: Waiting): void {
    this.#waiting.delete(connection)
    const ofSource = this.#bySource.get(connection.source)
    ofSource?.delete(connection)
    if (ofSource?.size === 0) this.#bySource.delete(connection.source)
  }

  /** DW2. */
  #closeOne(some: ReadonlySet<Waiting>, why: string): void {
    let [chosen] = some
    for (const one of some) {
      if (!one.isAwaited) continue
      chosen = one
      break
    }
    if (chosen === undefined) return
    this.left(chosen)
    chosen.close(`has not logged in, and there are ${why}`)
  }
}
