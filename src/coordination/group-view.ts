// A member's copy of the group record: listed once, then kept by the watch. It may lag behind by a few milliseconds, so
// nothing is decided by it alone: what is written is compared with what was read.
//
// Invariants:
//   V1. The view is the store as it was at `rev`: whole transactions, none left out. Everything that a list or a batch of
//       the watch brings is read before any of it is shown, so a record that cannot be used leaves no half of it behind.
//   V2. `rev` only rises, and each change that raises it wakes whoever waits for `changed()`; the end of the view does
//       too.
//   V3. A record that this version cannot vouch for ends the view: `failed` says why, nothing changes any more, and the
//       member must stop.
//   V4. The record of a move is for people, so one that cannot be read is skipped, and `skipped` says why.
//   V5. Ids are never given twice, so what the view does not have, though its id was given at or before `rev`, is gone for
//       ever. That is enough to forget what is kept of it in memory; who drops what is on disk asks the coordinator.
//   V7. However many ask for news at once, the coordinator is asked one question at a time; and nobody is answered by one that
//       was put before his, which may not have seen what he asks about.
//   V6. `sessionsOf` gives those of `sessions`, and no others.
import { type Clock, sleep, within } from '../base/clock.ts'
import {
  type MemberId,
  memberId,
  NO_REVISION,
  type Revision,
  type SessionId,
  type SliceId,
  sessionId,
  sliceId,
  type VolumeId,
  volumeId,
} from '../base/ids.ts'
import type { Stored } from '../group/change.ts'
import { readGroup } from '../group/founding.ts'
import { parseMember, parseMove, parseSession, parseSlice, parseVolume } from '../group/parse.ts'
import {
  type GroupRecord,
  isDurable,
  keys,
  type MemberRecord,
  type MoveRecord,
  type SliceRecord,
  type VolumeRecord,
} from '../group/record.ts'
import type { StoredSession } from '../group/sessions.ts'
import type { Change, Coordinator, Versioned, Watch } from './coordinator.ts'
import { SessionIndex } from './session-index.ts'

export type { StoredSession } from '../group/sessions.ts'

const AGAIN_MS = 50
/** While the store is lost: it may be put back. */
const LOST_AGAIN_MS = 1_000
/** The watch delivers within a few milliseconds; after this everything is listed instead. */
const CATCH_UP_MS = 500

/** A record that cannot be used; the message is a sentence that names its key. */
export class UnusableRecord extends Error {
  override readonly name = 'UnusableRecord'
}

/** Throws UnusableRecord. */
export function storedSession(item: Versioned): StoredSession {
  const { key, rev, created } = item
  return { id: sessionId(created), key, rev, record: usable(key, parseSession(item.value)) }
}

export class GroupView {
  readonly members = new Map<MemberId, MemberRecord>()
  /** Revisions of the members' records, to compare with. */
  readonly memberRevs = new Map<MemberId, Revision>()
  readonly volumes = new Map<VolumeId, VolumeRecord>()
  readonly volumeRevs = new Map<VolumeId, Revision>()
  /** Of the last change of any volume. */
  volumesRev = NO_REVISION
  readonly sessions = new Map<SessionId, StoredSession>()
  /** Oldest first. */
  readonly moves = new Map<string, MoveRecord>()
  /** V4: by key, a sentence that says what is wrong with the record of a move. */
  readonly skipped = new Map<string, string>()
  /** Index is the slice's id; `sliceRevs` the revision of its last change. */
  readonly slices: SliceRecord[] = []
  readonly sliceRevs: Revision[] = []
  /** JSON of the distribution policy, or null: the default. */
  policy: string | null = null
  policyRev = NO_REVISION
  group: GroupRecord
  rev = NO_REVISION
  /** Of the last change of something durable, at most (record.ts). */
  durableRev = NO_REVISION
  readonly #clock: Clock
  readonly #coordinator: Coordinator
  readonly #byIqn = new Map<string, VolumeRecord>()
  readonly #index = new SessionIndex()
  readonly #idByKey = new Map<string, SessionId>()
  #waiting: (() => void)[] = []
  #watch: Watch | null = null
  /** V7: the question that is put, and the answer to the next one, which all share that come meanwhile. */
  #asking: { now: Promise<boolean> | null; next: Promise<boolean> | null } = {
    now: null,
    next: null,
  }
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

  /** Of this initiator on this volume (V6). */
  sessionsOf(volume: VolumeId, initiator: string): Iterable<StoredSession> {
    return this.#index.of(volume, initiator)
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
    return { key: keys.member(id), rev: this.memberRevs.get(id) ?? NO_REVISION, record }
  }

  /** Settles at the next change; false: the view has ended, and there will be none. */
  async changed(): Promise<boolean> {
    if (this.#state === 'following') {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this.#state === 'following'
  }

  /** Brings the view up to what was committed before the call; false: the coordinator does not answer. */
  refresh(): Promise<boolean> {
    const { now } = this.#asking
    if (now === null) return this.#ask()
    const again = () => this.#ask()
    this.#asking.next ??= now.then(again, again) // V7
    return this.#asking.next
  }

  #ask(): Promise<boolean> {
    const answer = this.#news()
    this.#asking = { now: answer, next: null }
    const over = () => {
      if (this.#asking.now === answer && this.#asking.next === null) this.#asking.now = null
    }
    answer.then(over, over)
    return answer
  }

  async #news(): Promise<boolean> {
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

  async #reached(rev: Revision): Promise<boolean> {
    const untilMs = this.#clock.nowMs() + CATCH_UP_MS
    while (this.rev < rev && this.#state === 'following') {
      const leftMs = untilMs - this.#clock.nowMs()
      // A wait that is over is not begun again for what rounding has left of it.
      if (leftMs <= 0 || !(await within(this.#clock, leftMs, this.changed(), false))) break
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
        await sleep(this.#clock, this.#coordinator.lost === null ? AGAIN_MS : LOST_AGAIN_MS)
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
      const news = batch.changes.filter(({ rev }) => rev > this.rev)
      if (this.#guarded(() => this.#show(news, batch.rev))) this.#wake()
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

  #load(items: readonly Versioned[], rev: Revision): void {
    const isMove = ({ key }: Versioned) => key.startsWith(keys.moves)
    const moves = items.filter(isMove).sort((a, b) => a.created - b.created)
    this.#show([...items.filter((item) => !isMove(item)), ...moves], rev, () => this.#clear())
    // What was removed meanwhile is not among the items.
    this.durableRev = rev
    this.#wake()
  }

  /** V1. Throws UnusableRecord before anything is changed. */
  #show(changes: readonly Change[], rev: Revision, before: () => void = () => undefined): void {
    const shows = changes.map((change) => this.#read(change))
    before()
    for (const show of shows) show()
    this.rev = rev
    for (const { key, rev: at } of changes) {
      if (at > this.durableRev && isDurable(key)) this.durableRev = at
    }
  }

  #clear(): void {
    this.members.clear()
    this.memberRevs.clear()
    this.volumes.clear()
    this.volumeRevs.clear()
    this.#byIqn.clear()
    this.sessions.clear()
    this.#index.clear()
    this.#idByKey.clear()
    this.moves.clear()
    this.skipped.clear()
    this.policy = null
    this.policyRev = NO_REVISION
  }

  /** Reads one change, and gives what shows it. */
  #read(change: Change): () => void {
    const { key, value, rev } = change
    const kind = key.slice(0, key.indexOf('/') + 1)
    const name = key.slice(kind.length)
    if (kind === keys.sessions) return this.#readSession(change)
    if (kind === keys.slices) return this.#readSlice(sliceId(Number(name)), change)
    if (kind === keys.volumes) return this.#readVolume(volumeId(Number(name)), change)
    if (kind === keys.members) return this.#readMember(memberId(name), change)
    if (kind === keys.moves) return this.#readMove(name, change)
    if (key === keys.policy) {
      return () => {
        this.policy = value
        this.policyRev = value === null ? NO_REVISION : rev
      }
    }
    if (key !== keys.group || value === null) return () => undefined
    const group = usable(key, readGroup(value))
    return () => {
      this.group = group
    }
  }

  #readSession({ key, value, rev, created }: Change): () => void {
    const session = value === null ? null : storedSession({ key, value, rev, created })
    return () => {
      const known = this.#idByKey.get(key)
      if (known !== undefined && (session === null || known !== session.id)) this.#forget(known)
      if (session === null) {
        this.#idByKey.delete(key)
        return
      }
      this.#idByKey.set(key, session.id)
      this.#index.set(session, this.sessions.get(session.id))
      this.sessions.set(session.id, session)
    }
  }

  #forget(id: SessionId): void {
    const session = this.sessions.get(id)
    if (session !== undefined) this.#index.delete(session)
    this.sessions.delete(id)
  }

  #readSlice(slice: SliceId, { key, value, rev }: Change): () => void {
    if (value === null) return () => undefined
    const record = usable(key, parseSlice(value))
    return () => {
      if (slice >= this.group.slices) return
      this.slices[slice] = record
      this.sliceRevs[slice] = rev
    }
  }

  #readMember(id: MemberId, { key, value, rev }: Change): () => void {
    const record = value === null ? null : usable(key, parseMember(value))
    return () => {
      if (record === null) {
        this.members.delete(id)
        this.memberRevs.delete(id)
        return
      }
      this.members.set(id, record)
      this.memberRevs.set(id, rev)
    }
  }

  #readVolume(id: VolumeId, { key, value, rev }: Change): () => void {
    const record = value === null ? null : usable(key, parseVolume(value))
    return () => {
      const before = this.volumes.get(id)
      if (before !== undefined) this.#byIqn.delete(before.iqn)
      if (record === null) {
        this.volumes.delete(id)
        this.volumeRevs.delete(id)
        return
      }
      this.volumes.set(id, record)
      this.volumeRevs.set(id, rev)
      this.volumesRev = rev
      this.#byIqn.set(record.iqn, record)
    }
  }

  /** V4. */
  #readMove(id: string, { key, value }: Change): () => void {
    const record = value === null ? null : parseMove(value)
    return () => {
      this.skipped.delete(key)
      if (record === null) this.moves.delete(id)
      else if (typeof record === 'string') {
        this.moves.delete(id)
        this.skipped.set(key, record)
      } else this.moves.set(id, record)
    }
  }
}

/** Throws UnusableRecord for what a parser of group/ has refused. */
export function usable<T>(key: string, parsed: T | string): T {
  if (typeof parsed === 'string') throw new UnusableRecord(`${parsed} (key ${key})`)
  return parsed
}
