// The operator's commands on volumes.
//
// Invariants:
//   VD1. A change is answered once the copy of the group record in this member's folder has it: what the operator was told
//        outlives the coordination file.
//   VD2. A volume whose making was not answered is looked for: if it was made, its caller is not told that it is another's.
//        One whose deletion was not answered, and that is gone, is told as deleted. Who meets a change by somebody else
//        reads anew.
//   VD3. No volume is said not to be there that was made, or named so, through another member before the call.

import { refusal } from '../api/errors.ts'
import { answered, type Outcome } from '../api/refusals.ts'
import type { Volume, VolumeChange, VolumeDetail, VolumeRequest } from '../api/schema.ts'
import { assert } from '../base/assert.ts'
import { type MemberId, NO_REVISION, type Revision, type VolumeId, volumeId } from '../base/ids.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import { storedSession, usable } from '../coordination/group-view.ts'
import { retry } from '../coordination/retry.ts'
import { parseVolume } from '../group/parse.ts'
import { keys, type VolumeRecord } from '../group/record.ts'
import {
  changeVolume,
  createVolume,
  deleteVolume,
  refuseChange,
  refuseVolume,
  volumeCounterKey,
  wouldShrink,
} from '../group/volumes.ts'
import { stateOf } from './copies.ts'
import { hearNews, type ShownMember } from './shown-member.ts'
import type { Summary } from './summary.ts'

/** A caller waits for 10 s. */
const PACE = { tries: 40, everyMs: 25, forMs: 4_000 }
/** What a coordination file that is lost at this very moment would take along. */
const notKept = refusal(
  'recordNotKept',
  'the change is made, but this member could not add it to its own copy of the group record',
)
const down = refusal('coordinatorDown', 'the coordination file cannot be written now')

const noVolume = (name: string) => refusal('volumeNotFound', `there is no volume '${name}'`)

export class VolumeDesk {
  readonly #member: ShownMember
  readonly #summaries: () => Promise<ReadonlyMap<string, Summary>>

  constructor(member: ShownMember, summaries: () => Promise<ReadonlyMap<string, Summary>>) {
    this.#member = member
    this.#summaries = summaries
  }

  list(): readonly Volume[] {
    const sessions = this.#sessionsByVolume()
    return [...this.#member.group.volumes.values()].map((record) => this.#volume(record, sessions))
  }

  async listWithUsage(): Promise<readonly Volume[]> {
    const summaries = await this.#summaries()
    const sums = new Map<VolumeId, { bytes: number; takenBytes: number }>()
    for (const { volumes } of summaries.values()) {
      for (const { id, bytes, takenBytes } of volumes) {
        const sum = sums.get(id) ?? { bytes: 0, takenBytes: 0 }
        sums.set(id, { bytes: sum.bytes + bytes, takenBytes: sum.takenBytes + takenBytes })
      }
    }
    const { members, volumes } = this.#member.group
    const sessions = this.#sessionsByVolume()
    const silent = [...members.keys()].filter((id) => !summaries.has(id)).sort()
    return [...volumes.values()].map((record) => {
      const { bytes, takenBytes } = sums.get(record.id) ?? { bytes: 0, takenBytes: 0 }
      return { ...this.#volume(record, sessions), usage: { bytes, takenBytes, silent } }
    })
  }

  async create(request: VolumeRequest): Promise<Outcome<'createVolume', VolumeDetail>> {
    const { group, ports } = this.#member
    const wrong = refuseVolume(request, group.group.slices)
    if (wrong !== null) return refusal('badRequest', wrong)
    const tried: VolumeRecord[] = []
    return (await retry(ports.clock, PACE, () => this.#tryCreate(request, tried))) ?? down
  }

  /** Null: the coordinator does not answer, or somebody else created a volume meanwhile. `tried`: what was given to it before (VD2). */
  async #tryCreate(
    request: VolumeRequest,
    tried: VolumeRecord[],
  ): Promise<Outcome<'createVolume', VolumeDetail> | null> {
    const { group, ports } = this.#member
    const [counter, name] = await Promise.all([
      ports.coordinator.list(volumeCounterKey),
      ports.coordinator.list(keys.volumeName(request.name)),
    ])
    if (counter.kind !== 'done' || name.kind !== 'done') return null
    const taken = name.items.find(({ key }) => key === keys.volumeName(request.name))
    if (taken !== undefined) {
      const own = tried.find(({ id }) => String(id) === taken.value)
      const there = own === undefined ? 'gone' : await this.#read(own.id)
      if (there === 'unknown') return null
      if (own !== undefined && there !== 'gone' && there.record.createdAt === own.createdAt)
        return this.#created(own, there.rev)
      return refusal('volumeExists', `there is a volume '${request.name}' already`)
    }
    const last = counter.items.find(({ key }) => key === volumeCounterKey)
    const { record, change } = createVolume({
      group: group.group,
      id: volumeId(Number(last?.value ?? 0) + 1),
      wish: request,
      slices: group.slices,
      counterRev: last?.rev ?? NO_REVISION,
      at: new Date(ports.clock.wallMs()).toISOString(),
    })
    tried.push(record)
    const result = await ports.coordinator.txn(change)
    return result.kind === 'done' ? this.#created(record, result.rev) : null
  }

  async #created(
    record: VolumeRecord,
    rev: Revision,
  ): Promise<Outcome<'createVolume', VolumeDetail>> {
    await this.#seen(() => this.#member.group.volumes.has(record.id))
    if (!(await this.#member.keeper.written(rev))) return notKept
    return answered(await this.#detail(record))
  }

  async show(name: string): Promise<Outcome<'showVolume', VolumeDetail>> {
    const record = await this.#find(name)
    return record === undefined ? noVolume(name) : answered(await this.#detail(record))
  }

  async change(name: string, change: VolumeChange): Promise<Outcome<'changeVolume', VolumeDetail>> {
    const wrong = refuseChange(change)
    if (wrong !== null) return refusal('badRequest', wrong)
    const id = (await this.#find(name))?.id
    if (id === undefined) return noVolume(name)
    return (await retry(this.#member.ports.clock, PACE, () => this.#tryChange(id, change))) ?? down
  }

  /** Null: the coordinator does not answer, or somebody else changed the volume meanwhile. */
  async #tryChange(
    id: VolumeId,
    wish: VolumeChange,
  ): Promise<Outcome<'changeVolume', VolumeDetail> | null> {
    const { group, ports } = this.#member
    const read = await this.#read(id)
    if (read === 'unknown') return null
    if (read === 'gone') return refusal('volumeNotFound', 'the volume was deleted meanwhile')
    const { record: before, rev } = read
    if (wouldShrink(before, wish)) {
      return refusal(
        'volumeShrinks',
        `volume '${before.name}' has ${before.bytes} bytes, and what its initiators wrote at its end would be cut off`,
      )
    }
    if (wish.name !== undefined && wish.name !== before.name) {
      const taken = await ports.coordinator.list(keys.volumeName(wish.name))
      if (taken.kind !== 'done') return null
      if (taken.items.some(({ key }) => key === keys.volumeName(wish.name ?? ''))) {
        return refusal('volumeExists', `there is a volume '${wish.name}' already`)
      }
    }
    const { record, change } = changeVolume(before, rev, wish)
    const result = await ports.coordinator.txn(change)
    if (result.kind !== 'done') return null
    await this.#seen(() => (group.volumeRevs.get(id) ?? 0) >= result.rev)
    if (!(await this.#member.keeper.written(result.rev))) return notKept
    return answered(await this.#detail(record))
  }

  /** The volume's record as the coordinator has it. */
  async #read(id: VolumeId): Promise<{ record: VolumeRecord; rev: Revision } | 'gone' | 'unknown'> {
    const listed = await this.#member.ports.coordinator.list(keys.volume(id))
    if (listed.kind === 'unknown') return 'unknown'
    const item = listed.items.find(({ key }) => key === keys.volume(id))
    if (item === undefined) return 'gone'
    return { record: usable(item.key, parseVolume(item.value)), rev: item.rev }
  }

  async delete(name: string): Promise<Outcome<'deleteVolume', Volume>> {
    const record = await this.#find(name)
    if (record === undefined) return noVolume(name)
    let tries = 0
    const deleting = () => {
      tries += 1
      return this.#tryDelete(record, tries > 1)
    }
    return (await retry(this.#member.ports.clock, PACE, deleting)) ?? down
  }

  /** Null: the coordinator does not answer, or somebody else changed the volume meanwhile. `isAgain`: an earlier try may have deleted it (VD2). */
  async #tryDelete(
    record: VolumeRecord,
    isAgain: boolean,
  ): Promise<Outcome<'deleteVolume', Volume> | null> {
    const { ports } = this.#member
    const { name } = record
    const sessions = await ports.coordinator.list(keys.sessionsOf(record.id))
    const volume = await this.#read(record.id)
    if (sessions.kind === 'unknown' || volume === 'unknown') return null
    if (volume === 'gone') {
      return isAgain ? this.#deleted(record, sessions.rev) : noVolume(name)
    }
    const live = sessions.items.filter((one) => storedSession(one).record.state === 'live').length
    if (live > 0) {
      return refusal('volumeInUse', `volume '${name}' has ${live} session${live === 1 ? '' : 's'}`)
    }
    if (volume.record.name !== name) return noVolume(name)
    const result = await ports.coordinator.txn(deleteVolume(volume.record, volume.rev))
    return result.kind === 'done' ? this.#deleted(record, result.rev) : null
  }

  async #deleted(record: VolumeRecord, rev: Revision): Promise<Outcome<'deleteVolume', Volume>> {
    await this.#seen(() => !this.#member.group.volumes.has(record.id))
    if (!(await this.#member.keeper.written(rev))) return notKept
    return answered(this.#volume(record))
  }

  url(record: VolumeRecord): string {
    return `iscsi://${this.#member.portal}/${record.iqn}/0`
  }

  /** VD3. */
  async #find(name: string): Promise<VolumeRecord | undefined> {
    const known = this.#seenAs(name)
    if (known !== undefined) return known
    await hearNews(this.#member)
    return this.#seenAs(name)
  }

  #seenAs(name: string): VolumeRecord | undefined {
    for (const record of this.#member.group.volumes.values())
      if (record.name === name) return record
    return undefined
  }

  /** What was written here is seen here before the answer, so that the caller's next question finds it. */
  async #seen(condition: () => boolean): Promise<void> {
    const { clock, coordinator } = this.#member.ports
    await retry(clock, PACE, async () => {
      if (condition()) return true
      coordinator.nudge()
      return null
    })
  }

  #sessionsByVolume(): ReadonlyMap<VolumeId, number> {
    const counts = new Map<VolumeId, number>()
    for (const { record } of this.#member.group.sessions.values()) {
      if (record.state !== 'live') continue
      counts.set(record.volume, (counts.get(record.volume) ?? 0) + 1)
    }
    return counts
  }

  #volume(record: VolumeRecord, counts = this.#sessionsByVolume()): Volume {
    const sessions = counts.get(record.id) ?? 0
    const { name, iqn, bytes, blockBytes, shared, createdAt } = record
    const url = this.url(record)
    return { id: String(record.id), name, iqn, url, bytes, blockBytes, shared, sessions, createdAt }
  }

  async #detail(record: VolumeRecord): Promise<VolumeDetail> {
    const { group } = this.#member
    const summaries = await this.#summaries()
    const isSilent = (id: MemberId) => !summaries.has(id)
    return {
      ...this.#volume(record),
      physicalBlockBytes: BLOCK_BYTES,
      lanes: record.lanes.map((slice, lane) => {
        const record = group.slices[slice]
        assert(record !== undefined, 'a lane is a slice of the group')
        const { primary, epoch, inSync, want } = record
        const copies = { inSync: [...inSync], wanted: [...want], state: stateOf(record, isSilent) }
        return { lane, slice, primary, epoch, ...copies }
      }),
      byMember: [...group.members.keys()].sort().map((member) => {
        const summary = summaries.get(member)
        const used = summary?.volumes.find(({ id }) => id === record.id)
        if (summary === undefined) return { member, pages: null, bytes: null, takenBytes: null }
        const { pages = 0, bytes = 0, takenBytes = 0 } = used ?? {}
        return { member, pages, bytes, takenBytes }
      }),
    }
  }
}
