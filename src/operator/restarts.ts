// How often the members have started anew, as one of them sees it: each start has an id of its own in the group record.
import type { MemberId } from '../base/ids.ts'

interface Started {
  bootId: string
  restarts: number
}

export class Restarts {
  readonly #members = new Map<MemberId, Started>()

  /** To be called more often than a member can start. */
  look(members: ReadonlyMap<MemberId, { readonly bootId: string }>): void {
    for (const [id, { bootId }] of members) {
      const known = this.#members.get(id)
      if (known === undefined) this.#members.set(id, { bootId, restarts: 0 })
      else if (known.bootId !== bootId) {
        known.bootId = bootId
        known.restarts += 1
      }
    }
    for (const id of this.#members.keys()) if (!members.has(id)) this.#members.delete(id)
  }

  of(id: MemberId): number {
    return this.#members.get(id)?.restarts ?? 0
  }
}
