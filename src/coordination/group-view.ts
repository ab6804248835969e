// A member's copy of the group record: listed once, then kept by the watch. It may lag behind by a few milliseconds, so
// nothing is decided by it alone: what is written is compared with what was read.
//
// Invariants:
//   V1. The view is the store as it was at `rev`: whole transactions, none left out.
//   V2. `rev` only rises, and each change that raises it wakes whoever waits for `changed()`; the end of the view does
//       too.
//   V3. A record that this version cannot vouch for ends the view: `failed` says why, nothing changes any more, and the
//       member must stop.
import { type Clock, sleep, within } from '../base/clock.ts'
import type { Stored } from '../group/change.ts'
import { readGroup } from '../group/founding.ts'
import { parseMember, parseMove, parseSession, parseSlice, parseVolume } from '../group/parse.ts'
import {
  type GroupRecord,
  keys,
  type MemberId,
  type MemberRecord,
  type MoveRecord,
  type SessionId,
  type SliceRecord,
  type VolumeId,
  type VolumeRecord,
} from '../group/record.ts'
import type { StoredSession } from '../group/sessions.ts'
import type { Change, Coordinator, Versioned, Watch } from './coordinator.ts'

export type { StoredSession } from '../group/sessions.ts'

const AGAIN_MS = 50
/** The watch delivers within a few milliseconds; after this everything is listed instead. */
const CATCH_UP_MS = 500

/** A record that cannot be used; the message is a sentence that names its key. */
export class UnusableRecord extends Error {
  override readonly name = 'UnusableRecord'
}

/** Throws UnusableRecord. */
export function storedSession(item: Versioned): StoredSession {
  const { key, rev, created } = item
  return { id: created, key, rev, record: usable(key, parseSession(item.value)) }
}

export class GroupView {
  readonly members = new Map<MemberId, MemberRecord>()
  /** Revisions of the members' records, to compare with. */
  readonly memberRevs = new Map<MemberId, number>()
  readonly volumes = new Map<VolumeId, VolumeRecord>()
  readonly volumeRevs = new Map<VolumeId, number>()
  readonly sessions = new Map<SessionId, StoredSession>()
  /** Oldest first. */
  readonly moves = new Map<string, MoveRecord>()
  /** Index is the slice's id; `sliceRevs` the revision of its last change. */
  readonly slices: SliceRecord[] = []
  readonly sliceRevs: number[] = []
  /** JSON of the distribution policy, or null: the default. */
  policy: string | null = null
  policyRev = 0
  group: GroupRecord
  rev = 0
  readonly #clock: Clock
  readonly #coordinator: Coordinator
  readonly #byIqn = new Map<string, VolumeRecord>()
  readonly #idByKey = new Map<string, SessionId>()
  #waiting: (() => void)[] = []
  #watch: Watch | null = null
  #state: 'following' | 'closed' = 'following'
  readonly #failed = Promise.withResolvers<string>()

  private constructor(coordinator: Coordinator, clock: Clock, group: GroupRecord) {
    this.#coordinator = coordinator
    this.#clock = clock
    this.group = group
  }

  /** Waits until the coordinator answers and the group exists. Throws a sentence if a record cannot be used, or is newer. */
  static async open(coordinator: Coordinator, clock: Clock): Promise<GroupView> {
    for (;;) {
      const listed = await coordinator.list('')
      if (listed.kind === 'done') {
        const item = listed.items.find(({ key }) => key === keys.group)
        if (item !== undefined) {
          const group = usable(item.key, readGroup(item.value))
          const view = new GroupView(coordinator, clock, group)
          view.#load(listed.items, listed.rev)
          void view.#follow()
          return view
        }
      }
      await sleep(clock, AGAIN_MS)
    }
  }

  /** V3: settles, with a sentence, if the view ends by a record; never rejects. */
  get failed(): Promise<string> {
    return this.#failed.promise
  }

  volumeByIqn(iqn: string): VolumeRecord | undefined {
    return this.#byIqn.get(iqn)
  }

  storedMember(id: MemberId): Stored<MemberRecord> | null {
    const record = this.members.get(id)
    if (record === undefined) return null
    return { key: keys.member(id), rev: this.memberRevs.get(id) ?? 0, record }
  }

  /** Settles at the next change; false: the view has ended, and there will be none. */
  async changed(): Promise<boolean> {
    if (this.#state === 'following') {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this.#state === 'following'
  }

  /** Brings the view up to what was committed before the call; false: the coordinator does not answer. */
  async refresh(): Promise<boolean> {
    const asked = await this.#coordinator.txn({})
    if (asked.kind === 'unknown') return false
    this.#coordinator.nudge()
    return (await this.#reached(asked.rev)) || (await this.#relist())
  }

  close(): void {
    this.#state = 'closed'
    this.#watch?.close()
    this.#wake()
  }

  async #reached(rev: number): Promise<boolean> {
    const untilMs = this.#clock.nowMs() + CATCH_UP_MS
    while (this.rev < rev && this.#state === 'following') {
      const leftMs = untilMs - this.#clock.nowMs()
      if (leftMs <= 0) return false
      await within(this.#clock, leftMs, this.changed(), false)
    }
    return this.rev >= rev
  }

  async #relist(): Promise<boolean> {
    const listed = await this.#coordinator.list('')
    if (listed.kind === 'unknown' || this.#state === 'closed') return false
    return listed.rev <= this.rev || this.#guarded(() => this.#load(listed.items, listed.rev))
  }

  async #follow(): Promise<void> {
    while (this.#state === 'following') {
      const watch = this.#coordinator.watch('', this.rev)
      this.#watch = watch
      const last = await this.#drain(watch)
      watch.close()
      // A coordinator that closes its watches has been closed itself.
      if (last === 'closed') return this.close()
      while (this.#state === 'following' && !(await this.#relist())) {
        await sleep(this.#clock, AGAIN_MS)
      }
    }
  }

  /** Applies what the watch brings until it ends. */
  async #drain(watch: Watch): Promise<'closed' | 'compacted'> {
    for (;;) {
      const batch = await watch.next()
      if (this.#state === 'closed') return 'closed'
      if (batch.kind !== 'changes') return batch.kind
      // What a list has brought meanwhile is newer than this.
      if (batch.rev <= this.rev) continue
      this.#guarded(() => {
        for (const change of batch.changes) if (change.rev > this.rev) this.#apply(change)
        this.rev = batch.rev
      })
      this.#wake()
    }
  }

  /** V3. False: the view has ended. */
  #guarded(apply: () => void): boolean {
    try {
      apply()
      return true
    } catch (error) {
      if (!(error instanceof UnusableRecord)) throw error
      this.#failed.resolve(error.message)
      this.close()
      return false
    }
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  #load(items: readonly Versioned[], rev: number): void {
    this.members.clear()
    this.memberRevs.clear()
    this.volumes.clear()
    this.volumeRevs.clear()
    this.#byIqn.clear()
    this.sessions.clear()
    this.#idByKey.clear()
    this.moves.clear()
    this.policy = null
    this.policyRev = 0
    const isMove = ({ key }: Versioned) => key.startsWith(keys.moves)
    for (const item of items) if (!isMove(item)) this.#apply(item)
    const moves = items.filter(isMove).sort((a, b) => a.created - b.created)
    for (const item of moves) this.#apply(item)
    this.rev = rev
    this.#wake()
  }

  #apply(change: Change): void {
    const { key, value, rev } = change
    const kind = key.slice(0, key.indexOf('/') + 1)
    const name = key.slice(kind.length)
    if (kind === keys.sessions) this.#applySession(change)
    else if (kind === keys.slices) this.#applySlice(Number(name), change)
    else if (kind === keys.volumes) this.#applyVolume(Number(name), change)
    else if (kind === keys.members) this.#applyMember(name, change)
    else if (kind === keys.moves) {
      if (value === null) this.moves.delete(name)
      else this.moves.set(name, usable(key, parseMove(value)))
    } else if (key === keys.policy) {
      this.policy = value
      this.policyRev = value === null ? 0 : rev
    } else if (key === keys.group && value !== null) this.group = usable(key, readGroup(value))
  }

  #applySession({ key, value, rev, created }: Change): void {
    const known = this.#idByKey.get(key)
    if (known !== undefined && (value === null || known !== created)) this.sessions.delete(known)
    if (value === null) {
      this.#idByKey.delete(key)
      return
    }
    this.#idByKey.set(key, created)
    this.sessions.set(created, storedSession({ key, value, rev, created }))
  }

  #applySlice(slice: number, { key, value, rev }: Change): void {
    if (value === null || slice >= this.group.slices) return
    this.slices[slice] = usable(key, parseSlice(value))
    this.sliceRevs[slice] = rev
  }

  #applyMember(id: MemberId, { key, value, rev }: Change): void {
    if (value === null) {
      this.members.delete(id)
      this.memberRevs.delete(id)
      return
    }
    this.members.set(id, usable(key, parseMember(value)))
    this.memberRevs.set(id, rev)
  }

  #applyVolume(id: VolumeId, { key, value, rev }: Change): void {
    const before = this.volumes.get(id)
    if (before !== undefined) this.#byIqn.delete(before.iqn)
    if (value === null) {
      this.volumes.delete(id)
      this.volumeRevs.delete(id)
      return
    }
    const record = usable(key, parseVolume(value))
    this.volumes.set(id, record)
    this.volumeRevs.set(id, rev)
    this.#byIqn.set(record.iqn, record)
  }
}

function usable<T>(key: string, parsed: T | string): T {
  if (typeof parsed === 'string') throw new UnusableRecord(`${parsed} (key ${key})`)
  return parsed
}
