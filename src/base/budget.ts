// Memory that many hold at once, counted: what one may take depends on what it holds, and on what is left for all.
//
// Nobody may take more than is left after it has taken: one that never gives anything back ends with half of the whole,
// a second one with a quarter, and there is always something left for those who give back soon. Below `least` nobody is
// asked: who holds nothing can go on, whatever others hold.
//
// One that holds nothing and needs more than that may wait in a line. While it waits, the others that hold something get
// no more than `least`, so that what they give back is for the first in the line.
//
// Invariants:
//   BU1. All holders together hold at most `total`, but for `least` each.
//   BU2. One holder holds at most `each`, or what it needed when it held nothing.
//   BU3. One that holds nothing may take `least`, always.
//   BU4. Of those that hold nothing and wait, the first goes on as soon as the others hold little enough.

export interface BudgetLimits {
  readonly total: number
  readonly each: number
  readonly least: number
}

export class Budget {
  readonly limits: BudgetLimits
  /** Kept by the shares. */
  readonly line: Share[] = []
  #held = 0

  constructor(limits: BudgetLimits) {
    this.limits = limits
  }

  /** By all holders. */
  get held(): number {
    return this.#held
  }

  /** `came`: it waits, and there may be room for it now. */
  share(came: () => void = () => {}): Share {
    return new Share(this, came, (more) => {
      this.#held += more
      if (more < 0) this.line[0]?.came()
    })
  }
}

/** What one holds of a budget. It is the holder's to keep `held` true. */
export class Share {
  readonly limits: BudgetLimits
  readonly came: () => void
  readonly #budget: Budget
  readonly #count: (more: number) => void
  #held = 0

  constructor(budget: Budget, came: () => void, count: (more: number) => void) {
    this.limits = budget.limits
    this.came = came
    this.#budget = budget
    this.#count = count
  }

  get held(): number {
    return this.#held
  }

  /** Also beyond what is allowed: what is there is counted. */
  set held(bytes: number) {
    if (bytes === this.#held) return
    this.#count(bytes - this.#held)
    this.#held = bytes
  }

  /** Whether so many bytes more may be held. */
  allows(bytes: number): boolean {
    const held = this.#held + bytes
    const { total, each, least } = this.limits
    if (held <= least) return true // BU3
    const { line, held: byAll } = this.#budget
    if (line.length > 0) return line[0] === this && byAll + bytes <= total // BU4
    return held <= each && held <= total - byAll - bytes
  }

  /** Others wait that hold nothing. */
  get othersWait(): boolean {
    const { line } = this.#budget
    return line.length > 0 && line[0] !== this
  }

  /** It needs more than is allowed; goes into the line if it holds nothing. */
  wait(): void {
    const { line } = this.#budget
    if (this.#held === 0 && !line.includes(this)) line.push(this)
  }

  /** It got what it needed, or needs it no more. */
  leaveLine(): void {
    const { line } = this.#budget
    const place = line.indexOf(this)
    if (place < 0) return
    line.splice(place, 1)
    if (place === 0) line[0]?.came()
  }
}
