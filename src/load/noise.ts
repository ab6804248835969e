// How much of a load comes and goes: σ, the Allan deviation of 30 s block means. A step counts once and little, a move
// not at all, for it shifts both blocks. And whether the load has stepped.

export const BLOCK_SECONDS = 30
const ALLAN_WEIGHT = 0.02
const CHANGE_SIGMAS = 4
const CHANGE_SECONDS = 10
/** Steps are rare. What steps again sooner comes and goes: it must reach σ, or a σ that began too small would stay so for ever. */
const STEP_APART_SECONDS = 300
/** The first pairs of blocks are few: they are weighed with this many pairs of what the seconds promise. */
const PROMISED_PAIRS = 3
/** Once so many are there, a pair counts for at most this many σ (E7 of estimate.ts). */
const SETTLED_PAIRS = PROMISED_PAIRS + 6
const OUTLIER = 3
/** A member's first minute is left out: its base still grows with everybody's logins. */
const SETTLING_SECONDS = 2 * BLOCK_SECONDS + 1

export class Noise {
  #sum = 0
  #seconds = 0
  #before: number | null = null
  #allan = 0
  #pairs = 0
  #farSeconds = 0
  #steppedAt = Number.NEGATIVE_INFINITY

  /** σ in units of load, or null before the first pair of blocks. */
  get sigma(): number | null {
    return this.#pairs === 0 ? null : Math.sqrt(this.#allan)
  }

  /** `promised`: σ² as the deviation from second to second lets expect it. */
  observe(load: number, seconds: number, ageSeconds: number, promised: number): void {
    this.#sum += load * seconds
    this.#seconds += seconds
    if (this.#seconds < BLOCK_SECONDS - 1e-9) return
    const mean = this.#sum / this.#seconds
    if (this.#before !== null && ageSeconds >= SETTLING_SECONDS) {
      const difference = mean - this.#before
      if (this.#pairs === 0) {
        this.#pairs = PROMISED_PAIRS
        this.#allan = promised
      }
      const square = (difference * difference) / 2
      const usual = Math.max(this.#allan, promised)
      const most = this.#pairs < SETTLED_PAIRS ? square : OUTLIER ** 2 * usual
      this.#pairs += 1
      this.#allan +=
        (Math.min(square, most) - this.#allan) * Math.max(1 / this.#pairs, ALLAN_WEIGHT)
    }
    this.#before = Number.isFinite(mean) ? mean : null
    this.#sum = 0
    this.#seconds = 0
  }

  /** A session of this weight came (or, negative, left): to the blocks it is as if it had always been so. */
  shift(weight: number): void {
    if (this.#before !== null) this.#before += weight
    this.#sum += weight * this.#seconds
  }

  /** The same load is now priced at so many times as much. */
  restate(times: number): void {
    this.#sum *= times
    if (this.#before !== null) this.#before *= times
    this.#allan *= times * times
  }

  /** `away`: fast average less what the load is taken to be. True once that has been more than noise for 10 s: it must then be taken to be the fast average. */
  stepped(away: number, sigma: number, seconds: number, ageSeconds: number): boolean {
    const far = this.#pairs > 0 && Math.abs(away) > CHANGE_SIGMAS * Math.max(sigma, 1e-3)
    this.#farSeconds = far ? this.#farSeconds + seconds : 0
    if (this.#farSeconds < CHANGE_SECONDS) return false
    if (ageSeconds - this.#steppedAt < STEP_APART_SECONDS) return false
    this.#steppedAt = ageSeconds
    this.#farSeconds = 0
    this.#before = null
    this.#sum = Number.NaN
    return true
  }
}
