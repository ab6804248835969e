// The role of this member in each slice, and what changes it: the record, copies that fail, a primary that is silent, and
// primaries that ask this member for its copy. slices.ts has the picture, and what is done in a role.
//
// Invariants:
//   V8. A slice comes back only when all that was under way in it is over (primary.ts).
import {
  type Epoch,
  epoch,
  type Generation,
  type MemberId,
  NO_REVISION,
  type Revision,
  type SessionId,
  type SliceId,
  sliceId,
} from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { raised, type StoredSlice, withoutCopies } from '../group/slices.ts'
import type { Incoming } from '../peer/incoming.ts'
import { answerStatus, type Json } from '../peer/message.ts'
import type { Answer } from '../peer/responder.ts'
import { type Activation, activate, ownSlices } from './activation.ts'
import { Beacons } from './beacons.ts'
import { Bundles } from './bundles.ts'
import { Copy, type CopyDeps, unlessFailed } from './copy.ts'
import { LOOK_MS } from './copy-looks.ts'
import {
  type ActivateQuestion,
  type AlignedQuestion,
  type Beacon,
  type CopyQuestion,
  encodeActivation,
  encodeOperationsPage,
  encodeVersions,
  type PagedQuestion,
} from './copy-messages.ts'
import { CopySet } from './copy-set.ts'
import { CopyTroubles } from './copy-troubles.ts'
import type { GroupSlices } from './group-slices.ts'
import { HandOvers, QUIET_MS } from './hand-over.ts'
import type { Activated } from './lease.ts'
import { type Leave, Leaving } from './leaving.ts'
import { Mending, type MendingDeps } from './mending.ts'
import { Primary, type PrimaryCopies } from './primary.ts'
import { Raising } from './raising.ts'
import { type Activating, hasChanged, isCopied, isHeld, none, type Role } from './role.ts'
import { TakeOvers } from './take-overs.ts'
import { Teaching } from './teaching.ts'
import {
  type Reconfigure,
  type Settled,
  type SliceWish,
  settle,
  type TenureDeps,
} from './tenure.ts'

const CHANGED_AT_ONCE = 4

/** What other members ask. */
export type CopyVerb =
  | 'activate'
  | 'versions'
  | 'operations'
  | 'aligned'
  | 'beacon'
  | 'answer'
  | 'counts'
  | 'died'
  | 'learners'
  | 'leaves'

export interface RolesDeps extends Omit<MendingDeps, 'bundles'>, Pick<CopyDeps, 'work'> {
  readonly self: MemberId
  readonly boot: string
  readonly coordinator: Coordinator
  readonly group: GroupSlices
  readonly isClosed: () => boolean
  readonly isServing: () => boolean
  readonly load: (sessions: Iterable<readonly [SessionId, Generation]>, rev: Revision) => void
  /** R10 of slices.ts */
  readonly forget: (slice: SliceId) => void
  /** HO2 of hand-over.ts; QUIET_MS unless given. */
  readonly quietMs?: number | undefined
  /** R13 of tenure.ts; the member keeps no copy of the record unless given. */
  readonly recordKept?: TenureDeps['recordKept']
}

export class Roles {
  readonly all: Role[] = []
  readonly #deps: RolesDeps
  readonly #tenure: TenureDeps
  readonly #beacons: Beacons
  readonly #teaching: Teaching
  readonly mending: Mending
  readonly #handOvers: HandOvers
  readonly #takeOvers: TakeOvers
  readonly #parting: Leaving
  /** Since the start. */
  readonly counts = { handedOver: 0 }
  readonly #troubles: CopyTroubles
  #isActivating = false
  #hasCopies = false
  #followed = NO_REVISION

  constructor(deps: RolesDeps) {
    this.#deps = deps
    const { self, boot, clock, coordinator, store, peers, isClosed } = deps
    const load = ({ sessions, rev }: Activation) => deps.load(sessions, rev)
    const { recordKept = async () => true } = deps
    const shared = { clock, store, peers, bundles: new Bundles({ clock, peers }) }
    const raises = { ...shared, self, coordinator, isClosed, load }
    this.#tenure = { ...raises, recordKept, raising: new Raising(raises) }
    const reconfigure: Reconfigure = (...how) => this.#reconfigure(...how)
    const follows = { ...shared, self, group: deps.group, reconfigure, work: deps.work }
    this.mending = new Mending({ ...deps, ...shared })
    const isServed = (slice: SliceId, primary: Primary) => this.all[slice] === primary
    this.#teaching = new Teaching({ ...follows, isServed })
    this.#handOvers = new HandOvers({
      ...{ ...follows, quietMs: deps.quietMs ?? QUIET_MS },
      isSettled: (slice) => isHeld(this.all[slice] ?? none) || !this.#isInSync(slice),
    })
    this.#parting = new Leaving({
      ...follows,
      served: (slice) => {
        const role = this.all[slice]
        return role?.kind === 'primary' ? role : null
      },
    })
    this.#beacons = new Beacons({
      ...{ self, boot, clock, peers },
      seen: () => this.#followed,
      to: () => this.#copyHolders(),
      renewed: () => this.#renewed(),
    })
    this.#troubles = new CopyTroubles(clock, this.#beacons)
    this.#takeOvers = new TakeOvers({
      ...{ group: deps.group, tenure: this.#tenure, beacons: this.#beacons, roles: this.all },
      come: (stored) => this.#come(stored, null),
    })
  }

  /** V1 of slices.ts. */
  activateAll(): Promise<void> {
    return this.#activate(() => true)
  }

  /** Slices that come to this member are activated, and those that leave it are let go. */
  follow(): void {
    void this.#follow()
  }

  /** PD1 of lease.ts: whoever watches over that process has seen it end. */
  died(dead: Activated): void {
    this.#beacons.grants.died(dead)
    if (!this.#hasCopies || !this.#deps.isServing()) return
    if (!this.#parting.isLeaving) this.#takeOvers.died(dead.member)
    this.#lookAtCopies()
  }

  /** LV1, LV2 of leaving.ts: settles when nothing of the slices waits for this member any more, or it is over. */
  leave(how: Leave): Promise<void> {
    return this.#parting.leave(how)
  }

  close(): void {
    this.#beacons.close()
  }

  async #follow(): Promise<void> {
    const { self, group, isServing } = this.#deps
    while (isServing()) {
      for (const [index, record] of group.slices.entries()) {
        const slice = sliceId(index)
        this.#beacons.named(slice, record.inSync.includes(self) ? record.primary : null)
        if (record.primary !== self && record.epoch > this.#epochIn(slice)) this.#leave(slice)
      }
      this.#followed = group.rev
      this.#startCopies()
      void this.#activateNew()
      if (!(await group.changed())) return
    }
  }

  /** R12 of activation.ts. */
  async #activateNew(): Promise<void> {
    const { group, self, isServing } = this.#deps
    const isNew = (slice: SliceId) => {
      const record = group.slices[slice]
      if (record?.primary !== self || record.epoch <= this.#epochIn(slice)) return false
      return this.all[slice]?.kind !== 'activating'
    }
    if (this.#isActivating) return
    this.#isActivating = true
    const news = () => group.slices.map((_, slice) => sliceId(slice)).filter(isNew)
    try {
      for (let some = new Set(news()); some.size > 0 && isServing(); some = new Set(news()))
        await this.#activate((slice) => some.has(slice))
      this.#isActivating = false
    } catch {
      // V5 of slices.ts: the member is about to stop.
    }
  }

  /** The epoch in which this member is or is about to be primary; 0: in none. */
  #epochIn(slice: SliceId): Epoch {
    const role = this.all[slice]
    return role?.kind === 'primary' || role?.kind === 'activating' ? role.epoch : epoch(0)
  }

  #leave(slice: SliceId): void {
    const role = this.all[slice]
    if (role?.kind !== 'primary' && role?.kind !== 'activating') return
    this.#troubles.end(slice)
    const over = role.kind === 'primary' ? role.leave() : (role.primary?.leave() ?? role.drained)
    if (over === null) this.all[slice] = none
    else this.#leaving(slice, over)
  }

  #leaving(slice: SliceId, over: Promise<void>): void {
    const leaving: Role = { kind: 'leaving', over }
    this.all[slice] = leaving
    void over.then(() => {
      if (this.all[slice] === leaving) this.all[slice] = none
    })
  }

  /** LF2 of left-slices.ts. False: it has a part in the slice. */
  async whileNone(slice: SliceId, work: () => Promise<void>): Promise<boolean> {
    const role = this.all[slice] ?? none
    if (role.kind !== 'none' && role.kind !== 'copy') return false
    const ended = role.kind === 'copy' ? role.end() : Promise.resolve()
    const over = unlessFailed(ended.then(work))
    this.#leaving(slice, over)
    await over
    return true
  }

  async #activate(wanted: (slice: SliceId) => boolean): Promise<void> {
    const { self, group } = this.#deps
    const begun = new Map<SliceId, Activating>()
    for (const [index, { primary }] of group.slices.entries()) {
      const slice = sliceId(index)
      const { kind } = this.all[slice] ?? none
      if (primary !== self || !wanted(slice) || (kind !== 'none' && kind !== 'copy')) continue
      begun.set(slice, this.#begin(slice, null))
    }
    const activation = await activate(this.#tenure, ownSlices(self, wanted))
    if (activation === null) return
    this.#tenure.load(activation)
    for (const [slice, stored] of activation.slices) {
      const role = this.all[slice]
      if (role?.kind === 'leaving') await role.over // V8
      this.#come(stored, begun.get(slice) ?? null)
    }
    for (const [slice, activating] of begun) {
      if (this.all[slice] === activating && !activation.slices.has(slice)) this.all[slice] = none
    }
  }

  /** A slice that was raised in this member's name, alone or with others. */
  #come(stored: StoredSlice, begun: Activating | null): void {
    const { id: slice, record } = stored
    const { self } = this.#deps
    const role = this.all[slice]
    const isAlone = !isCopied(record)
    if (role?.kind === 'primary') {
      if (isAlone && role.copies === null) role.epoch = record.epoch
      else void this.#reconfigure(slice, role, () => raised)
      return
    }
    if (role?.kind === 'activating' && role !== begun) return
    const known = this.#deps.group.slices[slice]
    if (known !== undefined && known.primary !== self && known.epoch > record.epoch) return
    const activating = begun ?? this.#begin(slice, null)
    activating.epoch = record.epoch
    // At a start there are no windows that are older than what the store remembers (R10 of slices.ts), and nobody has left since (R13).
    if (isAlone && !this.#deps.isServing())
      this.all[slice] = this.#primary(slice, record.epoch, { copies: null, asksStore: false })
    else void this.#settle(stored, activating)
  }

  #begin(slice: SliceId, primary: Primary | null): Activating {
    const role = this.all[slice]
    const drained = role?.kind === 'copy' ? role.end() : null
    const nothing = { epoch: epoch(0), others: [] }
    const activating: Activating = { kind: 'activating', ...nothing, primary, drained }
    this.all[slice] = activating
    return activating
  }

  /** Until this member serves the slice, or another one does. */
  async #settle(stored: StoredSlice, activating: Activating): Promise<void> {
    const { id: slice } = stored
    const { primary } = activating
    const { self } = this.#deps
    try {
      await activating.drained
      const settled = await settle(this.#tenure, stored, {
        isOver: () => this.all[slice] !== activating,
        before: primary === null ? null : (primary.copies?.others ?? []),
        raisedTo: ({ record }) => {
          activating.epoch = record.epoch
          activating.others = record.inSync.filter((member) => member !== self)
        },
      })
      if (this.all[slice] !== activating) return
      if (settled === null) this.#leave(slice)
      else this.#serve(settled, activating)
    } catch {
      // V5 of slices.ts: the member is about to stop.
    }
  }

  #serve({ slice: { id, record }, others }: Settled, activating: Activating): void {
    const { clock, store, peers, forget, work } = this.#deps
    const deps = { clock, store, peers, troubled: this.#troubles.begin(id), work }
    const copies = isCopied(record) ? new CopySet(record.epoch, others, record.min, deps) : null
    if (copies === null) this.#troubles.end(id)
    if (activating.primary === null) {
      forget(id) // R10 of slices.ts
      this.all[id] = this.#primary(id, record.epoch, { copies, asksStore: true })
    } else {
      this.all[id] = activating.primary
      activating.primary.resume(record.epoch, copies)
    }
    for (const { member } of others) this.#beacons.send(member)
  }

  /** With one copy it may have others later. */
  #primary(slice: SliceId, of: Epoch, how: Pick<PrimaryCopies, 'copies' | 'asksStore'>): Primary {
    const hold = this.#beacons.hold.bind(this.#beacons)
    return new Primary(of, this.#deps.store, { ...how, hold, mend: this.mending.of(slice) })
  }

  /** The primary goes on in a new epoch, with the copies that `wish` leaves it. */
  async #reconfigure(...[slice, primary, wish]: Parameters<Reconfigure>): Promise<void> {
    const activating = this.#begin(slice, primary)
    activating.epoch = primary.epoch
    activating.others = (primary.copies?.others ?? []).map(({ member }) => member)
    const isOver = () => this.all[slice] !== activating
    try {
      await primary.pause()
      const chosen = await wish(isOver)
      if (isOver()) return
      const stored = await this.#tenure.raising.one(slice, isOver, chosen)
      const isOwn = stored?.record.primary === this.#deps.self
      if (stored !== null && !isOwn) this.counts.handedOver += 1
      if (isOver()) return
      if (stored !== null && isOwn) return await this.#settle(stored, activating)
      this.#leave(slice)
    } catch {
      // V5 of slices.ts: the member is about to stop.
    }
  }

  /** Once the group has slices with copies; with none, nothing of this costs anything. */
  #startCopies(): void {
    if (this.#hasCopies || !this.#deps.group.slices.some(isCopied)) return
    this.#hasCopies = true
    this.#beacons.start()
    this.#lookAgain()
  }

  #lookAgain(): void {
    this.#deps.clock.after(LOOK_MS, () => {
      if (!this.#deps.isServing()) return
      this.#lookAtCopies()
      if (!this.#parting.isLeaving) this.#takeOvers.look() // LV3
      this.#lookAgain()
    })
  }

  /** R4, R9. Many slices may be wanted elsewhere at once: few of them change at one look. */
  #lookAtCopies(): void {
    let left = CHANGED_AT_ONCE
    for (const [index, role] of this.all.entries()) {
      if (role?.kind !== 'primary') continue
      const slice = sliceId(index)
      const sinceMs = this.#troubles.sinceMs(slice)
      const record = this.#deps.group.slices[slice]
      const isOther = left > 0 && record !== undefined && hasChanged(role, record)
      if (role.copies?.isOwnFull === true)
        this.#handOvers.giveUp(slice, role, (copy) => this.#troubles.has(slice, copy))
      else if (this.#measure(slice, role) || this.#parting.isLeaving) continue
      else if (isOther) {
        left -= 1
        void this.#reconfigure(slice, role, () => raised)
      } else if (sinceMs !== null && !this.#teaching.look(slice, role))
        this.#handOvers.look(slice, role, sinceMs)
    }
  }

  #measure(slice: SliceId, role: Primary): boolean {
    const measure = this.#troubles.measure(slice, role)
    if (measure === null) return false
    const wish: SliceWish =
      measure.kind === 'again' ? raised : (record, to) => withoutCopies(record, measure.members, to)
    void this.#reconfigure(slice, role, () => wish)
    return true
  }

  #isInSync(slice: SliceId): boolean {
    return this.#deps.group.slices[slice]?.inSync.includes(this.#deps.self) === true
  }

  /** Members to which beacons go. */
  #copyHolders(): ReadonlySet<MemberId> {
    const holders = new Set<MemberId>()
    for (const role of this.all) {
      if (role?.kind === 'activating') for (const member of role.others) holders.add(member)
      if (role?.kind !== 'primary') continue
      for (const { member } of role.copies?.others ?? []) holders.add(member)
    }
    return holders
  }

  #renewed(): void {
    for (const slice of this.#troubles.slices()) {
      const role = this.all[slice]
      if (role?.kind === 'primary') role.renewed()
    }
  }

  get learners(): Teaching['counts'] {
    return this.#teaching.counts
  }

  // What other members ask.

  beacon(beacon: Beacon, from: MemberId): Json {
    return this.#beacons.heard(from, beacon)
  }

  activate(asked: ActivateQuestion, from: MemberId): Promise<Json> {
    return unlessFailed(this.#activateCopy(asked, from))
  }

  async #activateCopy(asked: ActivateQuestion, from: MemberId): Promise<Json> {
    const { slice } = asked
    if (slice >= this.#deps.group.slices.length || this.#deps.isClosed()) return null
    if (asked.isLearner && this.#parting.isLeaving) return null // LV3
    if (this.#epochIn(slice) >= asked.epoch)
      return encodeActivation({ kind: 'refused', promised: this.#epochIn(slice) })
    this.#leave(slice) // R1: the record had come to that epoch in the asker's name.
    const leaving = this.all[slice]
    if (leaving?.kind === 'leaving') await leaving.over // V8
    const role = this.all[slice] ?? none
    if (role.kind === 'none') this.all[slice] = new Copy(slice, this.#deps)
    const copy = this.all[slice]
    return copy?.kind === 'copy' ? encodeActivation(await copy.activate(asked, from)) : null
  }

  /** LV2 */
  async leaves(from: MemberId): Promise<Json> {
    await this.#parting.goOnWithout(from)
    return true
  }

  versions(asked: PagedQuestion): Json {
    const told = this.#copyOf(asked)?.versions(asked) ?? null
    return told === null ? null : encodeVersions(told)
  }

  operations(asked: PagedQuestion): Json {
    const told = this.#copyOf(asked)?.operations(asked) ?? null
    return told === null ? null : encodeOperationsPage(told)
  }

  async aligned(asked: AlignedQuestion): Promise<Json> {
    const copy = this.#copyOf(asked)
    return copy === null ? false : unlessFailed(copy.aligned(asked))
  }

  /** A mutation or a page, for the copy that is here. */
  answer(request: Incoming): Answer | Promise<Answer> {
    return this.#copyOf(request)?.answer(request) ?? { status: answerStatus.refused }
  }

  #copyOf({ slice }: Pick<CopyQuestion, 'slice'>): Copy | null {
    const role = this.all[slice]
    return role?.kind === 'copy' ? role : null
  }
}
