// This member's part in each slice, and what drives it: the group's record says whose a slice is, and the role follows.
//
//   none ──the record names this member──▶ activating ──epoch raised, sessions listed──▶ primary
//     ▲                                                                                     │
//     └──────────────── all that was under way is over ◀──── leaving ◀── it names another ──┘
//
// Invariants:
//   V1. Nothing is answered before the epochs of the member's slices are raised and all sessions' generations are known.
//   V5. A store that has failed answers nothing more: the turn never ends, and the member stops.
//   V6. Pages of a volume that was deleted are dropped, also if it was deleted while this member was down; those of one
//       that exists never are.
//   V7. What is dropped or forgotten is gone by the coordinator's own word, asked in a transaction. This member's copy of
//       the record only says what to ask about.
//   V9. Requests of other members are carried out under the view of their volume by which they were sent: an older one is
//       stale, and of a newer one this member looks at what is committed first. So who has changed a volume knows that
//       nothing is done as before it, once every primary has heard of it.
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import {
  type Epoch,
  epoch,
  type Generation,
  type MemberId,
  type Revision,
  type SessionId,
  type SliceId,
  sliceId,
  type VolumeId,
} from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { keys } from '../group/record.ts'
import { volumeIsAbsent } from '../group/volumes.ts'
import type { Mutation, Origin } from '../peer/operation.ts'
import { activate, generationsIn } from './activation.ts'
import type { AllocationQuestion, SliceAllocation } from './allocation.ts'
import type { GroupSlices } from './group-slices.ts'
import { MutationTurn, type Remembered } from './mutation-turn.ts'
import type { CompareOutcome, Later, ReadOutcome, Stale } from './outcome.ts'
import { Primary } from './primary.ts'
import { SessionMarks } from './session-marks.ts'
import type { SliceStore } from './slice-store.ts'

type Role =
  /** Another member's, as far as this one knows. */
  | { readonly kind: 'none' }
  | { readonly kind: 'activating' }
  | Primary
  /** `over` settles when nothing that the primary had begun is under way any more. */
  | { readonly kind: 'leaving'; readonly over: Promise<void> }

const none: Role = { kind: 'none' }
const activating: Role = { kind: 'activating' }

export interface SlicesDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly coordinator: Coordinator
  readonly group: GroupSlices
  readonly store: SliceStore
}

const TIDY_EVERY_MS = 10_000
/** Volumes that requests name though nobody knows them; ids of volumes that were deleted, mostly. */
const ABSENT_MAX = 1_024

export class Slices {
  readonly #deps: SlicesDeps
  readonly #marks = new SessionMarks<Remembered>()
  readonly #absent = new Set<VolumeId>()
  readonly #roles: Role[] = []
  readonly #serving = Promise.withResolvers<void>()
  #state: 'starting' | 'serving' | 'closed' = 'starting'
  #isLookingForVolume = false

  constructor(deps: SlicesDeps) {
    this.#deps = deps
  }

  /** V1. Returns when it serves, however long the coordinator is away. Called once. */
  async start(): Promise<void> {
    assert(this.#state === 'starting', 'slices are started once')
    await this.#activate(() => true)
    if (this.#state !== 'starting') return
    this.#state = 'serving'
    this.#serving.resolve()
    void this.#follow()
    this.#tidyNowAndThen()
  }

  /** Settles once requests and FENCEs may come. */
  serving(): Promise<void> {
    return this.#serving.promise
  }

  get isServing(): boolean {
    return this.#state === 'serving'
  }

  close(): void {
    this.#state = 'closed'
  }

  /** 0: this member does not serve the slice. */
  epochOf(slice: SliceId): Epoch {
    return this.#primaryOf(slice)?.epoch ?? epoch(0)
  }

  /** V9. A view that this member has not heard of yet is looked for. */
  isOfView(volume: VolumeId, view: number): boolean {
    const known = this.#deps.group.volumes.get(volume)
    if (known === undefined || known.view === view) return true // of no volume: `read` and `mutate` say what that means
    if (known.view < view && !this.#isLookingForVolume) void this.#lookFor(volume)
    return false
  }

  fence(session: SessionId, gen: Generation): void {
    assert(this.#state !== 'starting', 'V1: FENCEs wait until the generations are known')
    this.#marks.fence(session, gen)
  }

  /** The extent lies in one run, which is on `slice`. `stale` comes at once, or late (V8). */
  read(
    origin: Origin,
    volume: VolumeId,
    slice: SliceId,
    offset: number,
    into: Uint8Array,
  ): ReadOutcome | 'refused' | 'gone' | Stale | Promise<ReadOutcome | Stale> {
    const primary = this.#reader(origin, volume, slice)
    return typeof primary === 'string' ? primary : primary.read(volume, offset, into)
  }

  /** The same, if nothing need be waited for; 'later': nothing is under way, and what `into` holds means nothing. */
  readNow(
    origin: Origin,
    volume: VolumeId,
    slice: SliceId,
    offset: number,
    into: Uint8Array,
  ): ReadOutcome | 'refused' | 'gone' | Stale | Later {
    const primary = this.#reader(origin, volume, slice)
    return typeof primary === 'string' ? primary : primary.readNow(volume, offset, into)
  }

  /** F3 of peer/frames.ts: of what `read` has done in this turn, as far as they are known. */
  checksums(volume: VolumeId, offset: number, bytes: number): Uint32Array | null {
    return this.#deps.store.checksums(volume, offset, bytes)
  }

  /** `stale` comes at once, or late (V8). */
  mutate(mutation: Mutation): CompareOutcome | Stale | Promise<CompareOutcome | Stale> {
    const { slice, volume, session, gen, number, acknowledged } = mutation
    assert(number > 0, 'V3: a mutation is numbered')
    const primary = this.#primaryOf(slice)
    if (primary === null) return 'stale'
    const striped = this.#deps.group.volumes.get(volume)
    if (striped === undefined) return this.#unknown(volume)
    const mark = this.#marks.admit(session, gen)
    if (mark === null) return 'refused'
    const { store } = this.#deps
    const window = mark.window(slice)
    if (window.acknowledge(acknowledged)) store.acknowledge(session, gen, slice, acknowledged)
    // Its answer was acknowledged and is forgotten: nobody waits for this one, and it must not be carried out again.
    if (number <= window.acknowledged) return 'refused'
    const known = window.answers.get(number)
    if (known !== undefined) return answeredAgain(known, mutation) // V3
    if (mark.isLoaded && store.remembered(session, gen, slice, number)) {
      window.answers.set(number, 'done')
      return 'done'
    }
    return primary.mutate(mutation, window, striped)
  }

  /** What this member has of the slices that it serves. */
  async allocation(question: AllocationQuestion): Promise<SliceAllocation> {
    const { volume, from, to, most } = question
    const { group, store } = this.#deps
    const slices = question.slices.filter((slice) => this.epochOf(slice) > 0)
    if (!group.volumes.has(volume) || slices.length === 0)
      return { slices: [], upTo: to, extents: [] }
    try {
      const held = await store.held({ volume, slices: new Set(slices), from, to, most })
      return { slices, ...held }
    } catch {
      return new Promise(() => {}) // V5
    }
  }

  /** The primary that answers a read of this session; else why there is none. */
  #reader(
    { session, gen }: Origin,
    volume: VolumeId,
    slice: SliceId,
  ): Primary | 'refused' | 'gone' | Stale {
    const primary = this.#primaryOf(slice)
    if (primary === null) return 'stale'
    if (!this.#deps.group.volumes.has(volume)) return this.#unknown(volume)
    return this.#marks.admit(session, gen) === null ? 'refused' : primary
  }

  #primaryOf(slice: SliceId): Primary | null {
    const role = this.#roles[slice]
    return this.#state === 'serving' && role?.kind === 'primary' ? role : null
  }

  /** A volume that this view does not have is new, or gone: the second after a look at what is committed. */
  #unknown(volume: VolumeId): 'gone' | Stale {
    if (this.#absent.has(volume)) return 'gone'
    if (!this.#isLookingForVolume) void this.#lookFor(volume)
    return 'stale'
  }

  async #lookFor(volume: VolumeId): Promise<void> {
    const { group } = this.#deps
    this.#isLookingForVolume = true
    const isFresh = await group.refresh()
    this.#isLookingForVolume = false
    if (!isFresh || group.volumes.has(volume)) return
    if (this.#absent.size >= ABSENT_MAX) this.#absent.clear()
    this.#absent.add(volume)
  }

  /** Slices that come to this member are activated, and those that leave it are let go. */
  async #follow(): Promise<void> {
    const { group, self } = this.#deps
    while (this.#state === 'serving') {
      const isNew = (slice: SliceId) => {
        const record = group.slices[slice]
        return record?.primary === self && record.epoch > this.epochOf(slice)
      }
      for (const [index, record] of group.slices.entries()) {
        const slice = sliceId(index)
        if (record.primary !== self && record.epoch > this.epochOf(slice)) this.#leave(slice)
      }
      if (group.slices.some((_, slice) => isNew(sliceId(slice)))) {
        try {
          await this.#activate(isNew)
        } catch {
          return // V5: the member is about to stop.
        }
      } else if (!(await group.changed())) return
    }
  }

  #leave(slice: SliceId): void {
    const role = this.#roles[slice]
    if (role?.kind !== 'primary') return
    const over = role.leave()
    const leaving: Role = { kind: 'leaving', over }
    this.#roles[slice] = leaving
    void over.then(() => {
      if (this.#roles[slice] === leaving) this.#roles[slice] = none
    })
  }

  async #activate(wanted: (slice: SliceId) => boolean): Promise<void> {
    const { self, clock, coordinator, store, group } = this.#deps
    for (const [slice, { primary }] of group.slices.entries()) {
      const { kind } = this.#roles[slice] ?? none
      if (primary === self && kind === 'none' && wanted(sliceId(slice)))
        this.#roles[slice] = activating
    }
    const isClosed = () => this.#state === 'closed'
    const activation = await activate({ self, clock, coordinator, store, isClosed }, wanted)
    if (activation === null) return
    this.#load(activation.sessions, activation.rev)
    for (const [slice, epoch] of activation.epochs) {
      const role = this.#roles[slice]
      if (role?.kind === 'leaving') await role.over // V8
      if (role?.kind === 'primary') role.epoch = epoch
      else this.#roles[slice] = new Primary(epoch, store)
    }
    for (const [slice, role] of this.#roles.entries()) {
      if (role === activating) this.#roles[slice] = none
    }
  }

  #load(sessions: Iterable<readonly [SessionId, Generation]>, rev: Revision): void {
    const { store } = this.#deps
    this.#marks.load(sessions, rev)
    for (const session of store.rememberedSessions()) {
      if (this.#marks.isRetired(session)) store.forgetSession(session)
    }
  }

  /** Forgets what is over: sessions that were retired, and the pages of volumes that were deleted. */
  #tidyNowAndThen(): void {
    this.#deps.clock.after(TIDY_EVERY_MS, () => {
      if (this.#state === 'serving') void this.#tidy().then(() => this.#tidyNowAndThen())
    })
  }

  async #tidy(): Promise<void> {
    await this.#forgetRetired()
    const { group, store } = this.#deps
    for (const volume of store.volumes()) {
      if (group.volumes.has(volume) || !(await this.#isDeleted(volume))) continue
      // A write that was in its turn meanwhile may bring a page back, and a full store may not take the order: the next
      // time. A store that has failed stops the member (V5).
      await store.dropVolume(volume).catch(() => undefined)
    }
  }

  /** V7. A comparison is of now, while a list may be older. */
  async #isDeleted(volume: VolumeId): Promise<boolean> {
    return (await this.#deps.coordinator.txn(volumeIsAbsent(volume))).kind === 'done'
  }

  /** V7. */
  async #forgetRetired(): Promise<void> {
    const { group, store, coordinator } = this.#deps
    const isGone = (id: SessionId) => id <= group.rev && !group.sessions.has(id)
    if (![...this.#marks.sessions(), ...store.rememberedSessions()].some(isGone)) return
    const asked = await coordinator.txn({ read: [keys.sessions] })
    if (asked.kind === 'done') this.#load(generationsIn(asked.read[0] ?? []), asked.rev)
  }
}

/** V3 */
function answeredAgain(known: Remembered, mutation: Mutation) {
  if (!(known instanceof MutationTurn)) return known
  return known.outcome.then((outcome) => {
    mutation.seq = known.seq
    return outcome
  })
}
