// Memory that many hold at once, counted: what one may take depends on what it holds, and on what is left for all.
//
// Nobody may take more than is left after it has taken: one that never gives anything back ends with half of the whole,
// a second one with a quarter, and there is always something left for those who give back soon. Below `least` nobody is
// asked: who holds nothing can go on, whatever others hold.
//
// Invariants:
//   BU1. All holders together hold at most `total`, but for `least` each.
//   BU2. One holder holds at most `each`.
//   BU3. One that holds nothing may take `least`, always.

export interface BudgetLimits {
  readonly total: number
  readonly each: number
  readonly least: number
}

export class Budget {
  readonly limits: BudgetLimits
  #held = 0

  constructor(limits: BudgetLimits) {
    this.limits = limits
  }

  /** By all holders. */
  get held(): number {
    return this.#held
  }

  share(): Share {
    return new Share(this.limits, this, (more) => {
      this.#held += more
    })
  }
}

/** What one holds of a budget. It is the holder's to keep `held` true. */
export class Share {
  readonly limits: BudgetLimits
  readonly #budget: Budget
  readonly #count: (more: number) => void
  #held = 0

  constructor(limits: BudgetLimits, budget: Budget, count: (more: number) => void) {
    this.limits = limits
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
    return held <= each && held <= total - this.#budget.held - bytes
  }
}
