// Whether a volume that is not shared has one host at a time (G20 of src/group/claims.ts), by every change of its sessions'
// records.
import type { SessionRecord } from '../src/group/record.ts'

export class OneHost {
  readonly #living = new Map<number, string>()

  /** Not null: hosts that have the volume at once. */
  changed(id: number, record: SessionRecord | null): string | null {
    if (record?.state === 'live') this.#living.set(id, `${record.initiator} at ${record.source}`)
    else this.#living.delete(id)
    const having = new Set(this.#living.values())
    return having.size > 1 ? [...having].join(' and ') : null
  }
}
