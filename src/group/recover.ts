// The group record, rebuilt from what its members have kept of it. Which file it goes into, and that nobody uses the group
// meanwhile, is the caller's matter.
//
// Invariants:
//   G21. It begins at the next multiple of 2^32 above every revision, and every session, that anybody has seen, under an
//        incarnation of its own whose lineage names every earlier one: no revision, and so no session id, is given twice.
//   G22. Volume ids go on above every one that anybody has seen, at the next multiple of 1000: between the newest copy and the
//        loss a few more may have been given, and pages written.
//   G23. A slice's epoch is at least the highest that anybody has seen or was about to raise it to.
//   G37. A slice's record is the newest that any copy has, which is that of the highest epoch, whichever copy is newest as a whole: an
//        older one may name members in sync that are none any more (R13 of slice/tenure.ts says why the newest does not).
//   G25. Copies that tell of two different volumes by one id are of two lines of the record: nothing is rebuilt from both.
import {
  type Epoch,
  epoch,
  type MemberId,
  NO_REVISION,
  type Revision,
  revision,
  type VolumeId,
} from '../base/ids.ts'
import { parseGroup, parseMember, parseSlice, parseVolume } from './parse.ts'
import {
  type EarlierIncarnation,
  type GroupRecord,
  isDurable,
  keys,
  type SliceRecord,
} from './record.ts'
import type { Evidence, RecordCopy, Seen, StoreSeen } from './seen.ts'
import { volumeCounterKey } from './volumes.ts'

const REVISIONS = 2 ** 32
/** Revisions travel between members as 48 bits. */
const REVISION_MAX = 2 ** 48 - REVISIONS
const VOLUME_IDS = 1000

/** A key at this revision is as recovery has written it: nobody has changed it since. */
export function isAsRecovered(rev: Revision): boolean {
  return rev % REVISIONS === 0
}

export interface Rebuilt {
  readonly rev: Revision
  readonly items: readonly {
    readonly key: string
    readonly value: string
    readonly rev: Revision
    readonly created: Revision
  }[]
  readonly group: GroupRecord
  /** Whose copy was the newest, and how new. */
  readonly from: { readonly member: string; readonly revision: Revision }
  /** The highest revision that anybody has seen: what lies between is lost. */
  readonly seen: Revision
  readonly volumes: readonly { readonly id: VolumeId; readonly name: string }[]
  /** As the record names them. */
  readonly members: readonly MemberId[]
}

/** A sentence: why it cannot be rebuilt. */
export function rebuildRecord(
  evidence: readonly Evidence[],
  incarnation: string,
): Rebuilt | string {
  const copies = evidence.flatMap(({ member, copy }) => (copy === null ? [] : [{ member, copy }]))
  const newest = copies.reduce<(typeof copies)[number] | null>(
    (best, one) => (best === null || one.copy.revision > best.copy.revision ? one : best),
    null,
  )
  if (newest === null) return 'None of the folders holds a copy of the group record.'
  const all = evidence.flatMap(({ seen, copy }) => [seen, copy].filter((one) => one !== null))
  const strange = evidence.find(({ seen, copy, store }) =>
    [seen, copy, store].some((one) => one !== null && one.groupId !== newest.copy.groupId),
  )
  if (strange !== undefined) {
    return `The folders of ${newest.member} and ${strange.member} belong to different groups: leave one of them out.`
  }
  const value = newest.copy.items.find(([key]) => key === keys.group)?.[1]
  const before = value === undefined ? 'the copy holds no group' : parseGroup(value)
  if (typeof before === 'string') return `The copy of ${newest.member} cannot be used: ${before}.`
  const twice = givenTwice(copies)
  if (twice !== null) return twice
  const stores = evidence.flatMap(({ store }) => (store === null ? [] : [store]))
  const seen = revision(
    Math.max(...all.map((one) => one.revision), ...stores.map(({ session }) => session)),
  )
  const rev = revision((Math.floor(seen / REVISIONS) + 1) * REVISIONS)
  if (rev > REVISION_MAX) return `No revision is left above ${seen}: this record cannot be rebuilt.`
  const group = { ...before, incarnation, lineage: lineageOf(before, all) }
  const content = new Content(
    copies.map(({ copy }) => copy),
    stores,
  )
  const items = content.of(newest.copy, group)
  if (typeof items === 'string') return `The copy of ${newest.member} cannot be used: ${items}`
  return {
    rev,
    items: items.map(([key, text]) => ({ key, value: text, rev, created: rev })),
    group,
    from: { member: newest.member, revision: newest.copy.revision },
    seen,
    volumes: content.volumes,
    members: content.members,
  }
}

/** G21. */
function lineageOf(before: GroupRecord, all: readonly Seen[]): readonly EarlierIncarnation[] {
  const ended = new Map(before.lineage.map(({ incarnation, endedAt }) => [incarnation, endedAt]))
  ended.set(before.incarnation, NO_REVISION)
  for (const { incarnation, revision: seen } of all) {
    ended.set(incarnation, revision(Math.max(seen, ended.get(incarnation) ?? 0)))
  }
  return [...ended]
    .map(([incarnation, endedAt]) => ({ incarnation, endedAt }))
    .toSorted((a, b) => a.endedAt - b.endedAt)
}

/** G25. A volume is told by when it was made and by its lanes: its name and size may change. */
function givenTwice(
  copies: readonly { readonly member: string; readonly copy: RecordCopy }[],
): string | null {
  const known = new Map<string, { readonly member: string; readonly made: string }>()
  for (const { member, copy } of copies) {
    for (const [key, value] of copy.items) {
      const volume = key.startsWith(keys.volumes) ? parseVolume(value) : ''
      if (typeof volume === 'string') continue
      const made = `${volume.createdAt} ${volume.lanes.join()}`
      const before = known.get(key)
      if (before !== undefined && before.made !== made) {
        return `The copies of ${before.member} and ${member} tell of two different volumes by the id ${volume.id}: one of them went on with an older group record while the other was down. Decide whose volumes to keep, and leave the other out with --without ${before.member} or --without ${member}.`
      }
      known.set(key, { member, made })
    }
  }
  return null
}

class Content {
  readonly volumes: { readonly id: VolumeId; readonly name: string }[] = []
  readonly members: MemberId[] = []
  /** G37. By key, over all copies. */
  readonly #slices = new Map<string, { readonly record: SliceRecord; readonly rev: Revision }>()
  /** By key, over all copies and stores. */
  readonly #epochs = new Map<string, Epoch>()
  #volumeId = 0

  constructor(copies: readonly RecordCopy[], stores: readonly StoreSeen[]) {
    for (const { items, revision: rev } of copies)
      for (const [key, value] of items) this.#know(key, value, rev)
    for (const { volume, epochs } of stores) {
      this.#volumeId = Math.max(this.#volumeId, volume)
      for (const [slice, known] of epochs) this.#knowEpoch(keys.slice(slice), known)
    }
  }

  /** What a copy that is not the newest adds: only that something was given already. */
  #know(key: string, value: string, rev: Revision): void {
    if (key === volumeCounterKey) this.#volumeId = Math.max(this.#volumeId, Number(value))
    if (!key.startsWith(keys.slices)) return
    const slice = parseSlice(value)
    if (typeof slice === 'string') return
    this.#knowEpoch(key, slice.epoch)
    const known = this.#slices.get(key)
    const epochs = slice.epoch - (known?.record.epoch ?? 0)
    if (known === undefined || epochs > 0 || (epochs === 0 && rev > known.rev))
      this.#slices.set(key, { record: slice, rev })
  }

  #knowEpoch(key: string, known: Epoch): void {
    this.#epochs.set(key, epoch(Math.max(known, this.#epochs.get(key) ?? 0)))
  }

  /** Each record is read, so that no member meets one that it cannot use; a sentence: that is so. */
  of(copy: RecordCopy, group: GroupRecord): readonly (readonly [string, string])[] | string {
    const items: (readonly [string, string])[] = []
    for (const [key, value] of copy.items) {
      if (!isDurable(key) || key === volumeCounterKey) continue
      const kept = this.#keep(key, value, group)
      if (typeof kept !== 'string') return `${kept.wrong} (key ${key})`
      items.push([key, kept])
    }
    const next = (Math.floor(this.#volumeId / VOLUME_IDS) + 1) * VOLUME_IDS // G22
    items.push([volumeCounterKey, String(next)])
    return items
  }

  #keep(key: string, value: string, group: GroupRecord): string | { readonly wrong: string } {
    if (key === keys.group) return JSON.stringify(group)
    if (key.startsWith(keys.slices)) {
      const slice = parseSlice(value)
      if (typeof slice === 'string') return { wrong: slice }
      const newest = this.#slices.get(key)?.record ?? slice
      const seen = epoch(Math.max(newest.epoch, this.#epochs.get(key) ?? 0)) // G23
      return JSON.stringify({ ...newest, epoch: seen } satisfies SliceRecord)
    }
    if (key.startsWith(keys.members)) {
      const member = parseMember(value)
      if (typeof member === 'string') return { wrong: member }
      this.members.push(member.id)
    }
    if (key.startsWith(keys.volumes)) {
      const volume = parseVolume(value)
      if (typeof volume === 'string') return { wrong: volume }
      this.volumes.push({ id: volume.id, name: volume.name })
    }
    return value
  }
}
