// Watches the copies of a simulated group's slices: what their records become, what primaries answer, and at the end what
// their stores hold. What it counts says whether anything of it was needed (totals.ts).
//
// Checked, from the outside:
//   - the epoch of a slice never falls, and whoever becomes its primary was in sync before (G30, G32 of src/group/slices.ts);
//   - a write that a primary has answered is carried out by no primary again (V3 of src/slice/primary.ts);
//   - at rest every slice has all its copies, and all are equal, byte by byte; no other member has anything of it.
import {
  type MemberId,
  NO_REVISION,
  type SliceId,
  type VolumeId,
  volumeId,
} from '../src/base/ids.ts'
import { PAGE_BYTES } from '../src/base/sizes.ts'
import { parseSlice } from '../src/group/parse.ts'
import { keys, type SliceRecord } from '../src/group/record.ts'
import { missing } from '../src/group/slices.ts'
import type { Member } from '../src/member/member.ts'
import { sliceAt } from '../src/slice/lanes.ts'
import type { StoreWrite } from '../src/store/record.ts'
import type { SimGroup } from './group.ts'

export class CopyWatch {
  readonly #group: SimGroup
  /** By name of a write: the member at which it came first. */
  readonly #first = new Map<string, MemberId>()
  /** Writes that a primary has answered as done. */
  readonly #answered = new Set<string>()

  constructor(group: SimGroup) {
    this.#group = group
  }

  get #areSeveral(): boolean {
    return this.#group.shape.relocates
  }

  /** Every change of a slice's record is judged from now on. With one copy nobody takes over. */
  async follow(): Promise<void> {
    if (!this.#areSeveral) return
    const watch = this.#group.operator.watch(keys.slices, NO_REVISION)
    const known = new Map<string, SliceRecord>()
    for (;;) {
      const batch = await watch.next()
      if (batch.kind !== 'changes') return
      for (const { key, value } of batch.changes) {
        const record = parseSlice(value ?? '')
        if (typeof record === 'string') continue
        const before = known.get(key)
        known.set(key, record)
        if (before === undefined) continue
        this.#group.trace.add('record', `${key} ${value}`)
        this.#judge(key, before, record)
      }
    }
  }

  #judge(key: string, before: SliceRecord, now: SliceRecord): void {
    const { totals } = this.#group
    if (now.epoch < before.epoch) this.#group.violation(`the epoch of ${key} fell`)
    if (now.primary !== before.primary) {
      if (now.inSync.includes(before.primary)) totals.handOvers += 1
      else totals.takeOvers += 1
      if (!before.inSync.includes(now.primary))
        this.#group.violation(`${now.primary} took over ${key} and was not in sync`)
    }
    const gone = before.inSync.filter((id) => !now.inSync.includes(id))
    if (before.inSync.length === 1 && !now.inSync.includes(before.primary))
      this.#group.violation(`${before.primary} has left ${key}, which was nowhere else`)
    if (now.primary !== before.primary && before.want.length === 1) totals.soleMoved += 1
    if (now.want.length > before.want.length) totals.copiesMore += 1
    if (now.want.length < before.want.length) totals.copiesLess += 1
    totals.copiesRemoved += gone.filter((id) => id !== before.primary).length
    totals.learnersJoined += now.inSync.filter((id) => !before.inSync.includes(id)).length
  }

  /** A write comes to a primary. */
  comes(name: string, to: MemberId): void {
    if (this.#areSeveral && !this.#first.has(name)) this.#first.set(name, to)
  }

  /** Its primary has answered it; without having written it: it knew it from the one before. */
  answered(name: string, by: MemberId, wasWritten: boolean): void {
    if (!this.#areSeveral) return
    this.#answered.add(name)
    if (!wasWritten && this.#first.get(name) !== by) this.#group.totals.retriesElsewhere += 1
  }

  /** A primary writes it. One that was paused may not know yet that it is none any more: nobody hears of that write. */
  carriesOut(name: string, by: MemberId, { slice, epoch }: StoreWrite): void {
    if (this.#answered.has(name) && this.isPrimary(by, slice, epoch))
      this.#group.violation(`the write ${name} was answered, and is carried out again`)
  }

  /** A page that was damaged there. */
  mended(by: MemberId, volume: VolumeId, page: number): void {
    const { group } = this.#group.member(by).member ?? {}
    const striped = group?.volumes.get(volume)
    if (group === undefined || striped === undefined) return
    const record = group.slices[sliceAt(striped, page * PAGE_BYTES)]
    if (record?.primary === by) this.#group.totals.mendedAtPrimaries += 1
    else this.#group.totals.mendedAtCopies += 1
  }

  /** By the record as it is now, which the member may not have seen yet. */
  isPrimary(member: MemberId, slice: SliceId, epoch: number): boolean {
    const record = parseSlice(this.#group.coordination.inspect(keys.slice(slice))[0]?.value ?? '')
    return typeof record !== 'string' && record.primary === member && record.epoch === epoch
  }

  /** Slices that lack copies, or have more than are wanted, and what members have of slices in which they have no part, as sentences. */
  lacking(): string[] {
    return this.#slices().flatMap(({ slice, record }) => [
      ...missing(record).map((id) => `slice ${slice} has no copy at ${id}`),
      ...this.#group.members
        .filter(({ id }) => !record.want.includes(id))
        .filter(({ id, member }) => record.inSync.includes(id) || hasSlice(member, slice))
        .map(({ id }) => `${id} has slice ${slice} still`),
    ])
  }

  /** Each slice has another copy in sync: what rots at one member another one has. */
  get haveOthers(): boolean {
    return this.#slices().every(
      ({ record: { want, inSync } }) => want.length > 1 && inSync.length > 1,
    )
  }

  /** How the copies of slices differ, as sentences. */
  async differences(): Promise<string[]> {
    const found: string[] = []
    for (const { slice, record } of this.#slices()) {
      const [primary, ...others] = record.inSync.map((id) => this.#group.member(id))
      for (const other of others) {
        if (!primary?.member || !other.member) continue
        const differs = await this.#compare(slice, primary.member, other.member)
        if (differs !== null) found.push(`${primary.id} and ${other.id} differ in ${differs}`)
      }
    }
    return found
  }

  #slices(): { readonly slice: SliceId; readonly record: SliceRecord }[] {
    return this.#group.coordination.inspect(keys.slices).flatMap(({ key, value }) => {
      const record = parseSlice(value)
      return typeof record === 'string' ? [] : [{ slice: keys.sliceOf(key), record }]
    })
  }

  async #compare(slice: SliceId, a: Member, b: Member): Promise<string | null> {
    for (const name of new Set([...pagesOf(a, slice), ...pagesOf(b, slice)])) {
      const [one, other] = await Promise.all([readPage(a, name), readPage(b, name)])
      if (one === null || other === null || Buffer.compare(one, other) !== 0)
        return `page ${name} of slice ${slice}`
    }
    return null
  }
}

function hasSlice(member: Member | null, slice: SliceId): boolean {
  return member?.store.slicesHere().includes(slice) === true
}

function pagesOf({ store }: Member, slice: SliceId): string[] {
  return [...store.versions(slice)].map(({ volume, page }) => `${volume}:${page}`)
}

/** null: it cannot be read. */
async function readPage({ store }: Member, name: string): Promise<Uint8Array | null> {
  const [volume = 0, page = 0] = name.split(':').map(Number)
  const bytes = new Uint8Array(PAGE_BYTES)
  const read = await store.read(volumeId(volume), page * PAGE_BYTES, bytes)
  return read === 'done' ? bytes : null
}
