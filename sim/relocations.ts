// An operator who has slices moved while everything breaks: now and then one slice is wanted at other members than before, and with
// more copies or fewer. By draws of its own. Who makes the copies, hands the part of primary over and gives up what is left is the product's business; at rest
// nothing is missing (copies.ts).
import { Prng } from '../src/base/prng.ts'
import { COPIES_MAX } from '../src/base/sizes.ts'
import { parseSlice } from '../src/group/parse.ts'
import { keys } from '../src/group/record.ts'
import { changeSlices, usualMin, wanting } from '../src/group/slices.ts'
import type { SimGroup } from './group.ts'

const GAP_MS = 2_500
/** Of those that are wanted otherwise. */
const OTHER_COUNT = 0.4

export class Relocations {
  readonly #group: SimGroup
  readonly #prng: Prng

  constructor(group: SimGroup) {
    this.#group = group
    this.#prng = new Prng(group.seed * 31 + 7)
  }

  /** `later` does nothing once the faults are over. */
  start(later: (ms: number, f: () => void) => void): void {
    later(this.#prng.unit() * 2 * GAP_MS, () => {
      void this.#move()
      this.start(later)
    })
  }

  async #move(): Promise<void> {
    const { operator, shape, trace, totals } = this.#group
    const listed = await operator.list(keys.slices)
    if (listed.kind !== 'done' || listed.items.length === 0) return
    const { key, value, rev } = this.#prng.pick(listed.items)
    const record = parseSlice(value)
    if (typeof record === 'string') return
    const count = this.#prng.chance(OTHER_COUNT)
      ? this.#prng.integer(1, COPIES_MAX)
      : record.want.length
    const want = this.#shuffled(shape.members).slice(0, count)
    // As an operator is refused more copies than writes would wait for (operator/layout-desk.ts).
    const min = usualMin(count)
    if (record.inSync.length < min) return
    const id = keys.sliceOf(key)
    const [change] = changeSlices([{ slice: { id, rev, record }, to: wanting(record, want, min) }])
    if (change === undefined) return
    const { kind } = await operator.txn(change)
    if (kind === 'done') totals.relocations += 1
    trace.add('*', `slice ${id} is wanted at ${want.join(' ')}: ${kind}`)
  }

  #shuffled<T>(all: readonly T[]): T[] {
    const left = [...all]
    const taken: T[] = []
    while (left.length > 0) taken.push(...left.splice(this.#prng.integer(0, left.length - 1), 1))
    return taken
  }
}
