// The beacons between this member and the others, for all slices at once: what it may read by, and from whom it may take over
// (lease.ts decides both).
//
// Invariants:
//   BC1. A beacon says up to where this member has followed the record, its roles included: what it had let go of by then it
//        serves no more (LS2 of lease.ts).
//   BC2. A clock may stand still while its host sleeps; wall time does not. When that has gone ahead, all leases end, and those that
//        beacons from before would bring; new ones are asked for at once. Where a grant lasts longer by that, nothing is wrong.
import type { Clock } from '../base/clock.ts'
import type { MemberId, Revision, SliceId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { Body } from '../peer/controls.ts'
import type { PeerLinks } from '../peer/links.ts'
import type { Json } from '../peer/message.ts'
import { type Beacon, encodeBeacon } from './copy-messages.ts'
import { type Activated, Grants, Leases } from './lease.ts'

export const BEACON_MS = 400
/** BC2. A clock that is steered gains less from one look to the next. */
const SLEPT_MS = 100
/** No lease comes of a later reply. */
const REPLY_MS = 2_000

export interface BeaconsDeps {
  readonly self: MemberId
  /** Of this start. */
  readonly boot: string
  readonly clock: Clock
  readonly peers: Pick<PeerLinks, 'ask'>
  /** BC1 */
  readonly seen: () => Revision
  /** Members that have a copy of what this one serves. */
  readonly to: () => ReadonlySet<MemberId>
  /** A lease was renewed, or the member has another boot. */
  readonly renewed: () => void
}

export class Beacons {
  readonly leases = new Leases()
  readonly grants: Grants
  readonly #deps: BeaconsDeps
  readonly #primaries: (MemberId | null)[] = []
  /** BC2. How far wall time is ahead, and how often it has gone ahead by itself. */
  #aheadMs: number
  #sleeps = 0
  /** They are sent one in this turn of the event loop. */
  readonly #soon = new Set<MemberId>()
  #isClosed = false
  #isRunning = false

  constructor(deps: BeaconsDeps) {
    this.#deps = deps
    this.grants = new Grants(deps.clock.nowMs())
    this.#aheadMs = deps.clock.wallMs() - deps.clock.nowMs()
  }

  /** Called again, it does nothing. */
  start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#round()
  }

  close(): void {
    this.#isClosed = true
  }

  /** R5 */
  hold(others: readonly Activated[]): boolean {
    this.#lookForSleep()
    return this.leases.hold(others, this.#deps.clock.nowMs())
  }

  /** Another member's beacon: the reply is a grant; null: none is given. */
  heard(member: MemberId, { boot, seen }: Beacon): Json {
    const { boot: own, clock } = this.#deps
    return this.grants.beacon({ member, boot }, seen, clock.nowMs()) ? { boot: own } : null
  }

  /**
   * As the record is followed: the primary of a slice in which this member is in sync; null: it is not. Who is that since just now may
   * not have sent a beacon yet.
   */
  named(slice: SliceId, primary: MemberId | null): void {
    if (this.#primaries[slice] === primary) return
    this.#primaries[slice] = primary
    if (primary !== null) this.grants.named(primary, this.#deps.clock.nowMs())
  }

  /** R6 */
  mayTakeOver(from: MemberId): boolean {
    return this.grants.mayTakeOver(from, this.#deps.clock.nowMs())
  }

  /** To one member out of turn: it has just become a copy, of many slices maybe. */
  send(member: MemberId): void {
    this.#soon.add(member)
    if (this.#soon.size > 1) return
    this.#deps.clock.soon(() => {
      const now = [...this.#soon]
      this.#soon.clear()
      for (const one of now) void this.#beacon(one)
    })
  }

  /** BC2 */
  #lookForSleep(): void {
    const { clock } = this.#deps
    const aheadMs = clock.wallMs() - clock.nowMs()
    const hasSlept = aheadMs - this.#aheadMs > SLEPT_MS
    this.#aheadMs = aheadMs
    if (!hasSlept) return
    this.#sleeps += 1
    this.leases.drop()
    this.#sendAll()
  }

  #sendAll(): void {
    for (const member of this.#deps.to()) void this.#beacon(member)
  }

  #round(): void {
    if (this.#isClosed) return
    this.#lookForSleep()
    this.#sendAll()
    this.#deps.clock.after(BEACON_MS, () => this.#round())
  }

  async #beacon(member: MemberId): Promise<void> {
    const { boot: own, clock, peers, seen } = this.#deps
    const sentMs = clock.nowMs()
    const sleeps = this.#sleeps
    const reply = await peers.ask(
      member,
      'beacon',
      encodeBeacon({ boot: own, seen: seen() }),
      REPLY_MS,
    )
    if (reply === null || this.#isClosed) return
    this.#lookForSleep()
    if (sleeps !== this.#sleeps) return
    const boot = bootIn(reply)
    if (boot === null) return
    this.leases.replied({ member, boot }, sentMs) // LS1
    this.#deps.renewed()
  }
}

function bootIn(reply: Json): string | null {
  try {
    return new Body(reply).text('boot')
  } catch (error) {
    if (error instanceof ProtocolError) return null
    throw error
  }
}
