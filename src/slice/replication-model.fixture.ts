// The transitions of the model of replication that was checked by itself (slice protocol: leases by beacon, compare-and-swap of
// epochs, answered when every in-sync copy has it), one by one and as naively as there: a set of acknowledgements for each
// write, a lease for each peer, the image of a copy's memory. The product's pure parts are driven beside it.
const LEASE = 2_000
const GRACE = 3_000

interface InFlight {
  readonly seq: number
  readonly since: number
  readonly acks: Set<number>
}

/** The primary's side of one epoch; member 0 is the primary. */
export class ModelPrimary {
  readonly #members: number
  readonly #min: number
  #seq = 0
  readonly #inFlight: InFlight[] = []
  committed = 0

  constructor(members: number, min: number) {
    this.#members = members
    this.#min = min
  }

  write(now: number): number {
    this.#seq += 1
    this.#inFlight.push({ seq: this.#seq, since: now, acks: new Set() })
    return this.#seq
  }

  acknowledged(member: number, seq: number): void {
    this.#inFlight.find((write) => write.seq === seq)?.acks.add(member)
    if (this.#members < this.#min) return
    for (;;) {
      const first = this.#inFlight[0]
      if (first === undefined || first.acks.size < this.#members) return
      this.committed = first.seq
      this.#inFlight.shift()
    }
  }

  /** The age of the oldest write that a member has not acknowledged; 0: there is none. */
  oldest(member: number, now: number): number {
    const waiting = this.#inFlight.find((write) => !write.acks.has(member))
    return waiting === undefined ? 0 : now - waiting.since
  }
}

/** A copy's side: `promised` is what was asked for, durable or not yet, `accepting` is the epoch of the last activation, `expected` the next seq. */
export class ModelCopy {
  promised: number
  accepting = -1
  expected = -1
  stored = 0

  constructor(promised: number) {
    this.promised = promised
  }

  /** False: refused. */
  activate(epoch: number): boolean {
    if (epoch < this.promised) return false
    this.accepting = -1
    this.expected = -1
    this.promised = epoch
    return true
  }

  promiseIsDurable(epoch: number): boolean {
    if (this.promised !== epoch) return false
    this.accepting = epoch
    this.expected = -1
    return true
  }

  pushed(epoch: number): boolean {
    if (this.promised !== epoch || this.accepting !== epoch) return false
    this.expected = 1
    this.stored = 0
    return true
  }

  replicate(epoch: number, seq: number): boolean {
    if (epoch !== this.promised || this.accepting !== epoch) return false
    if (seq !== this.expected) return false
    this.expected = seq + 1
    return true
  }

  /** True: it is acknowledged. */
  writeIsDurable(epoch: number, seq: number): boolean {
    if (this.promised !== epoch || this.accepting !== epoch || this.expected < 1) return false
    this.stored = Math.max(this.stored, seq)
    return true
  }
}

/** Two members' clocks: what one may read by, and what the other has promised to each of its boots. */
export class ModelLease {
  /** Of each peer: the boot that replied last, and until when its lease is. */
  readonly lease = new Map<string, { boot: string; until: number }>()
  readonly #started: number
  readonly #grants = new Map<string, number>()
  #dead = ''
  open = 0
  withheld = -1

  constructor(started: number) {
    this.#started = started
  }

  beacon(boot: string, now: number, seen: number): boolean {
    if (boot === this.#dead || this.open > 0 || seen < this.withheld) return false
    this.#grants.set(boot, now + GRACE)
    return true
  }

  /** The process of that boot is proven dead. */
  died(boot: string): void {
    this.#dead = boot
    this.#grants.delete(boot)
  }

  mayTakeOver(now: number): boolean {
    return now > Math.max(this.#started + GRACE, ...this.#grants.values())
  }

  settled(rev: number): void {
    this.open -= 1
    this.withheld = Math.max(this.withheld, rev)
  }

  reply(peer: string, boot: string, sent: number): void {
    const before = this.lease.get(peer)
    const until = Math.max(before?.boot === boot ? before.until : -1, sent + LEASE)
    this.lease.set(peer, { boot, until })
  }

  mayRead(others: readonly { member: string; boot: string }[], now: number): boolean {
    return others.every(({ member, boot }) => {
      const lease = this.lease.get(member)
      return lease?.boot === boot && lease.until > now
    })
  }
}
