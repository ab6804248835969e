// The group record is lost, or an older one is put in its place, once in some simulations. Members go on serving I/O; then
// the operator stops them all, starts them on the older record (each refuses, having seen a later one), and recovers the
// record from the copies on their disks, as src/supervisor/recover.ts does.
//
// Invariants:
//   LR1. An older record stays as it is until one is recovered: who knew the later one holds to that (C3), and who starts
//        refuses it (G24 G26). One that grew could come to all that a member has seen, which would then take it for its own.
import type { Revision } from '../src/base/ids.ts'
import { readCopy, readSeen } from '../src/coordination/record-copy.ts'
import { rebuildRecord } from '../src/group/recover.ts'
import { lookAtStore } from '../src/store/look.ts'
import type { StoreImage } from './coordinator.ts'
import type { SimGroup, SimMember } from './group.ts'

const IMAGE_EVERY_MS = 400
const GOES_ON_MS = 2_500
/** Long enough for a member to look at its folder and at the record. */
const REFUSES_MS = 1_500

export class LostRecord {
  readonly #group: SimGroup
  readonly #images: StoreImage[] = []
  /** The revision of the older record that is in place. */
  #olderRev: Revision | null = null
  #state: 'whole' | 'lost' | 'recovering' | 'recovered' = 'whole'

  constructor(group: SimGroup) {
    this.#group = group
    this.#keepImages()
  }

  /** `image` null: there is nothing in its place. Settles when the group has been started on a record that was recovered. */
  async strike(): Promise<void> {
    const { prng, coordination, trace, totals, timeline } = this.#group
    if (this.#state !== 'whole') return
    this.#state = 'lost'
    totals.recordsLost += 1
    const older = prng.chance(0.5) ? await this.#older() : null
    trace.add('*', older === null ? 'the record is lost' : `the record goes back to ${older.rev}`)
    if (older === null) coordination.lose()
    else coordination.restore(older)
    this.#olderRev = older?.rev ?? null
    await new Promise<void>((resolve) => {
      timeline.after(prng.unit() * GOES_ON_MS, resolve)
    })
    await this.#stopAndRecover()
  }

  /** At once, if it is lost; the group is started by it. */
  heal(): void {
    if (this.#state !== 'lost') return
    this.#olderRev = null
    void this.#stopAndRecover()
  }

  async #stopAndRecover(): Promise<void> {
    if (this.#state !== 'lost') return
    this.#state = 'recovering'
    const group = this.#group
    const { members, timeline, trace } = group
    this.#stopAll()
    if (this.#olderRev !== null) {
      group.isHeld = false
      for (const member of members) member.start()
      await new Promise<void>((resolve) => {
        timeline.after(REFUSES_MS, resolve)
      })
      for (const { id, member } of members) {
        if (member !== null)
          group.violation(`${id} goes on with a record that is older than its own`)
      }
      const { rev } = group.coordination
      if (rev !== this.#olderRev) {
        const was = `it was at ${this.#olderRev}, and is at ${rev}`
        group.violation(`somebody wrote to the older record: ${was}`) // LR1
      }
      this.#stopAll()
    }
    const evidence = await Promise.all(members.map(evidenceOf))
    const rebuilt = rebuildRecord(evidence, group.newId())
    if (typeof rebuilt === 'string') return group.violation(`not recovered: ${rebuilt}`)
    trace.add('*', `the record is recovered from ${rebuilt.from.member} at ${rebuilt.rev}`)
    group.coordination.restore(rebuilt)
    group.recordReplaced()
    group.isHeld = false
    this.#state = 'recovered'
    for (const member of members) member.start()
  }

  #stopAll(): void {
    const { members, prng } = this.#group
    this.#group.isHeld = true
    for (const member of members) {
      member.crash(prng.chance(0.3) ? 'power' : 'process')
      member.clock.resume()
    }
  }

  /** One that every member has seen the end of, on its disk. */
  async #older(): Promise<StoreImage | null> {
    const seen = await Promise.all(this.#group.members.map(evidenceOf))
    const least = Math.min(...seen.map((one) => one.seen?.revision ?? 0))
    const older = this.#images.filter(({ rev }) => rev < least)
    return older.length === 0 ? null : this.#group.prng.pick(older)
  }

  #keepImages(): void {
    const { timeline, coordination } = this.#group
    timeline.after(IMAGE_EVERY_MS, () => {
      if (this.#state !== 'whole') return
      this.#images.push(coordination.image())
      this.#keepImages()
    })
  }
}

/** Of its disk as it is, whoever uses it: what is durable, and no more. */
async function evidenceOf({ id, disk }: SimMember) {
  const copy = disk.clone()
  copy.crash(() => 0)
  const [seen, record] = [await readSeen(copy), await readCopy(copy)]
  return { member: id, seen, copy: record, store: await lookAtStore(copy) }
}
