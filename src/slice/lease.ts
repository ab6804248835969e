// Who may answer the reads of a slice, and who may take it over: the leases that a member holds, and the grants that it gives.
// Each member sends each other one a beacon now and then, for all slices at once; the reply is a grant. Both compare instants
// of their own clocks, and nothing else; of a host that slept beacons.ts knows (BC2). Pure: instants are handed in.
//
//   a primary                               another in-sync member
//     │ ── beacon (sent at t; has seen rev) ──▶ │  from here on for GRACE_MS it takes over nothing from the primary
//     │ ◀───────── reply (t; its boot) ──────── │
//     until t + LEASE_MS the primary answers reads
//
// Invariants (R5, R6, R9, R11: PacificA, as docs/decisions/0012 has it):
//   R5.  A primary answers a read while every other in-sync member's lease holds, looked at after the data was read. Alone it
//        needs none: nobody else can take over.
//   R6.  A member takes over nothing from a primary before its own grant to it is over, and nothing from anybody before
//        GRACE_MS after its own start: what it granted before that, it has forgotten.
//   R9.  The lease of a member that has started again since the primary activated it is none.
//   R11. A grant never shrinks.
//   LS1. A lease counts from when the beacon was sent, a grant from when it came; so a grant outlives its lease while
//        clocks run at rates that differ by less than CLOCK_RATES_MAX.
//   LS2. A member that takes over from a primary grants it nothing from before its compare-and-swap until that primary has
//        seen the record as of it: so a deposed primary gets no new lease for what it no longer is.
//   PD1. A grant is to one boot of a member, and it is over once the process of that boot is proven dead: a dead process answers no
//        reads. Grants to other boots of the member stand, whenever such a proof comes and however often.
//   PD2. No proof shortens the time after the own start (R6): which boots had grants before that is not known.
//   PD3. To a dead process nothing is granted any more, also by a beacon of it that comes later.
// Who proves it, and to whom it is told: supervisor/child.ts.
import { assert } from '../base/assert.ts'
import { type MemberId, NO_REVISION, type Revision } from '../base/ids.ts'

export const LEASE_MS = 2_000
export const GRACE_MS = 3_000
/** LS1: LEASE_MS / (1 − r) ≤ GRACE_MS / (1 + r) */
export const CLOCK_RATES_MAX = 0.2

/** An in-sync member as its primary activated it. */
export interface Activated {
  readonly member: MemberId
  /** Random; changes at every start. */
  readonly boot: string
}

interface Lease {
  readonly boot: string
  readonly untilMs: number
}

/** What the others have granted to this member. At most one lease a member. */
export class Leases {
  readonly #leases = new Map<MemberId, Lease>()

  /** `from` has replied to the beacon that left at `sentMs`. */
  replied({ member, boot }: Activated, sentMs: number): void {
    const lease = this.#leases.get(member)
    const untilMs = sentMs + LEASE_MS
    if (lease?.boot === boot && lease.untilMs >= untilMs) return
    this.#leases.set(member, { boot, untilMs })
  }

  /** R5, R9. `others`: all in-sync members but the primary. */
  hold(others: readonly Activated[], nowMs: number): boolean {
    for (const { member, boot } of others) {
      const lease = this.#leases.get(member)
      if (lease === undefined || lease.boot !== boot || lease.untilMs <= nowMs) return false
    }
    return true
  }

  /** R9: it replies under another boot than it was activated in, so what it has is to be looked at anew. */
  hasRestarted({ member, boot }: Activated): boolean {
    const lease = this.#leases.get(member)
    return lease !== undefined && lease.boot !== boot
  }

  /** BC2 of beacons.ts. */
  drop(): void {
    this.#leases.clear()
  }
}

interface Withheld {
  /** Take-overs whose outcome is not known. */
  open: number
  /** The newest one that was done. */
  rev: Revision
}

/** What this member has granted to the others: an entry for each boot of a member that was heard within GRACE_MS, at most. */
export class Grants {
  readonly #startedMs: number
  /** By boot. */
  readonly #granted = new Map<MemberId, Map<string, number>>()
  readonly #named = new Map<MemberId, number>()
  readonly #withheld = new Map<MemberId, Withheld>()
  /** Of each member the one that was proven last. */
  readonly #dead = new Map<MemberId, string>()

  constructor(startedMs: number) {
    this.#startedMs = startedMs
  }

  /** A beacon came; true: it is granted, and a reply is due. `seen`: up to where its sender has followed the record. */
  beacon(from: Activated, seen: Revision, nowMs: number): boolean {
    if (this.isDead(from)) return false // PD3
    const { member, boot } = from
    const withheld = this.#withheld.get(member)
    if (withheld !== undefined && (withheld.open > 0 || seen < withheld.rev)) return false // LS2
    const granted = this.#grantedTo(member, boot, nowMs)
    granted.set(boot, Math.max(granted.get(boot) ?? nowMs, nowMs + GRACE_MS)) // R11
    return true
  }

  /** The record has begun to name it as a primary: it has as long to say so itself. No read rests on it. */
  named(primary: MemberId, nowMs: number): void {
    this.#named.set(primary, nowMs + GRACE_MS)
  }

  /** PD1 */
  died({ member, boot }: Activated): void {
    this.#dead.set(member, boot)
    this.#granted.get(member)?.delete(boot)
    this.#named.delete(member)
  }

  isDead({ member, boot }: Activated): boolean {
    return this.#dead.get(member) === boot
  }

  /** R6 */
  mayTakeOver(from: MemberId, nowMs: number): boolean {
    return nowMs > this.#until(from)
  }

  /** LS2. Before the compare-and-swap; each call is settled once. */
  takingOver(from: MemberId, nowMs: number): void {
    assert(this.mayTakeOver(from, nowMs), 'R6: a grant is kept')
    const withheld = this.#withheld.get(from) ?? { open: 0, rev: NO_REVISION }
    withheld.open += 1
    this.#withheld.set(from, withheld)
  }

  /** `rev`: of the compare-and-swap that was done; NO_REVISION: it was refused; of an unknown outcome, at which the record was read since. */
  settled(from: MemberId, rev: Revision): void {
    const withheld = this.#withheld.get(from)
    assert(withheld !== undefined && withheld.open > 0, 'LS2: a take-over is settled once')
    withheld.open -= 1
    if (rev > withheld.rev) withheld.rev = rev
  }

  /** What is over of its other boots is forgotten. */
  #grantedTo(member: MemberId, boot: string, nowMs: number): Map<string, number> {
    const granted = this.#granted.get(member) ?? new Map<string, number>()
    this.#granted.set(member, granted)
    if (!granted.has(boot))
      for (const [other, untilMs] of granted) if (nowMs > untilMs) granted.delete(other)
    return granted
  }

  #until(from: MemberId): number {
    let untilMs = this.#startedMs + GRACE_MS // PD2
    untilMs = Math.max(untilMs, this.#named.get(from) ?? untilMs)
    for (const one of this.#granted.get(from)?.values() ?? []) untilMs = Math.max(untilMs, one)
    return untilMs
  }
}
