// This member's part in each slice, and what drives it: the group's record says whose a slice is, and the role follows.
//
//   none ──the record names this member──▶ activating ──epoch raised, sessions listed, copies equal──▶ primary
//    │▲                                      ▲    ▲ └──────────── its copies change ───────────────────┘ │
//    ││                                      │    └── taken over from a silent primary                   │
//    │└── over ◀── leaving ◀── it names another ────────────────────────────────────────────────────────┘
//    └── its primary asks this member ──▶ copy
//
// Invariants:
//   V1. Nothing is answered before the epochs of the member's slices are raised and all sessions' generations are known.
//   V5. A store that has failed answers nothing more: the turn never ends, and the member stops.
//   V9. Requests of other members are carried out under the view of their volume by which they were sent: an older one is
//       stale, and of a newer one this member looks at what is committed first. So who has changed a volume knows that
//       nothing is done as before it, once every primary has heard of it.
//   R10. A mutation that comes again after a take-over is answered, not carried out: of a slice that has copies the store is
//        asked about each number, and what windows knew of it before another member served it is forgotten.
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
  type VolumeId,
} from '../base/ids.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import type { PeerLinks } from '../peer/links.ts'
import type { Mutation, Origin } from '../peer/operation.ts'
import type { AllocationQuestion, SliceAllocation } from './allocation.ts'
import { unlessFailed } from './copy.ts'
import type { Mended, PageQuestion } from './copy-messages.ts'
import { type CopyWork, noCopyWork } from './copy-work.ts'
import type { GroupSlices } from './group-slices.ts'
import { sliceAt } from './lanes.ts'
import type { Leave } from './leaving.ts'
import type { MendingDeps } from './mending.ts'
import { MutationTurn, type Remembered } from './mutation-turn.ts'
import type { CompareOutcome, Later, ReadOutcome, Stale } from './outcome.ts'
import type { Primary } from './primary.ts'
import { type CopyVerb, Roles } from './roles.ts'
import { SessionMarks } from './session-marks.ts'
import type { SliceStore } from './slice-store.ts'
import { tidyNowAndThen } from './tidy.ts'

export interface SlicesDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly coordinator: Coordinator
  readonly group: GroupSlices
  readonly store: SliceStore
  /** Of this start. */
  readonly boot: string
  readonly peers: Pick<PeerLinks, 'link' | 'ask'>
  /** A page that was damaged here is as a copy in sync has it (mending.ts). */
  readonly mended?: MendingDeps['mended']
  /** HO2 of hand-over.ts; for tests. */
  readonly quietMs?: number | undefined
  /** R13 of tenure.ts: the member's own copy of the record is as new as that. */
  readonly recordKept?: (rev: Revision) => Promise<boolean>
}

/** Volumes that requests name though nobody knows them; ids of volumes that were deleted, mostly. */
const ABSENT_MAX = 1_024

export class Slices {
  /** Since the start. */
  readonly copyWork: Readonly<CopyWork>
  readonly #deps: SlicesDeps
  readonly #marks = new SessionMarks<Remembered>()
  readonly #absent = new Set<VolumeId>()
  readonly #roles: Roles
  readonly #serving = Promise.withResolvers<void>()
  #state: 'starting' | 'serving' | 'closed' = 'starting'
  #isLookingForVolume = false

  constructor(deps: SlicesDeps) {
    this.#deps = deps
    const work = noCopyWork()
    this.copyWork = work
    this.#roles = new Roles({
      ...deps,
      isClosed: () => this.#state === 'closed',
      isServing: () => this.#state === 'serving',
      load: (sessions, rev) => this.#load(sessions, rev),
      forget: (slice) => this.#marks.forgetSlice(slice),
      work,
    })
  }

  /** What its copies, and those whose copy this member is, ask of it. */
  get copies(): Pick<Roles, CopyVerb> {
    return this.#roles
  }

  /** V1. Returns when it serves, however long the coordinator is away. Called once. */
  async start(): Promise<void> {
    assert(this.#state === 'starting', 'slices are started once')
    await this.#roles.activateAll()
    if (this.#state !== 'starting') return
    this.#state = 'serving'
    this.#serving.resolve()
    this.#roles.follow()
    const { recordKept = async () => true } = this.#deps
    tidyNowAndThen({
      ...{ ...this.#deps, recordKept },
      whileNone: (slice, work) => this.#roles.whileNone(slice, work),
      isServing: () => this.#state === 'serving',
      sessions: () => this.#marks.sessions(),
      load: (sessions, rev) => this.#load(sessions, rev),
    })
  }

  /** Settles once requests and FENCEs may come. */
  serving(): Promise<void> {
    return this.#serving.promise
  }

  get isServing(): boolean {
    return this.#state === 'serving'
  }

  /** Before `close`: what is served here goes on elsewhere, and nothing waits for this member (leaving.ts). */
  async leave(how: Leave): Promise<void> {
    if (this.isServing) await this.#roles.leave(how)
  }

  close(): void {
    this.#state = 'closed'
    this.#roles.close()
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

  /** A page that is damaged here is taken from a copy in sync, of which the primary is asked. Rejects when the store has failed. */
  async mend(volume: VolumeId, page: number): Promise<Mended> {
    const striped = this.#deps.group.volumes.get(volume)
    const slice = striped === undefined ? null : sliceAt(striped, page * PAGE_BYTES)
    const role = slice === null ? undefined : this.#roles.all[slice]
    if (role?.kind === 'copy') return role.mendPage(volume, page)
    if (role?.kind !== 'primary') return 'later'
    if (await role.mendPage(volume, page)) return 'good'
    return role.isOver ? 'later' : 'none'
  }

  /** MD3 of mending.ts: a copy asks for a page of a slice that is served here. */
  mendCopy({ slice, epoch, volume, page }: PageQuestion, from: MemberId): Promise<Mended> {
    const primary = this.#primaryOf(slice)
    if (primary?.epoch !== epoch) return Promise.resolve('later')
    return unlessFailed(this.#roles.mending.give(primary, { slice, volume, page }, from))
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
    const asks = mark.isLoaded || primary.asksStore // R10
    if (asks && store.remembered(session, gen, slice, number)) {
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
      const primaries = slices.map((slice) => this.#primaryOf(slice))
      const held = await store.held({ volume, slices: new Set(slices), from, to, most })
      await Promise.all(primaries.map((primary) => (primary === null ? null : current(primary))))
      return { slices: slices.filter((_, at) => primaries[at]?.isOver === false), ...held }
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
    const role = this.#roles.all[slice]
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

  #load(sessions: Iterable<readonly [SessionId, Generation]>, rev: Revision): void {
    const { store } = this.#deps
    this.#marks.load(sessions, rev)
    for (const session of store.rememberedSessions()) {
      if (this.#marks.isRetired(session)) store.forgetSession(session)
    }
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

/** V12 of primary.ts: settles when what was read of its slice may be answered, or the slice has left. */
function current(primary: Primary): Promise<void> | null {
  if (primary.isCurrent) return null
  return new Promise((resolve) => primary.whenCurrent(resolve))
}
