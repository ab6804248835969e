// How much of a member's load comes and goes: σ, the Allan deviation of 30 s block means. A step counts once and little, a move
// not at all, for it shifts both blocks. And whether the immovable part has stepped.

export const BLOCK_SECONDS = 30
const ALLAN_WEIGHT = 0.02
const CHANGE_SIGMAS = 4
const CHANGE_SECONDS = 10
/** A member's first minute is left out: its base still grows with everybody's logins. */
const SETTLING_SECONDS = 2 * BLOCK_SECONDS + 1

export class Noise {
  #sum = 0
  #seconds = 0
  #before: number | null = null
  #allan = 0
  #pairs = 0
  #farSeconds = 0

  /** σ in units of load, or null before the first pair of blocks. */
  get sigma(): number | null {
    return this.#pairs === 0 ? null : Math.sqrt(this.#allan)
  }

  observe(load: number, seconds: number, ageSeconds: number): void {
    this.#sum += load * seconds
    this.#seconds += seconds
    if (this.#seconds < BLOCK_SECONDS - 1e-9) return
    const mean = this.#sum / this.#seconds
    if (this.#before !== null && ageSeconds >= SETTLING_SECONDS) {
      const difference = mean - this.#before
      this.#pairs += 1
      this.#allan +=
        ((difference * difference) / 2 - this.#allan) * Math.max(1 / this.#pairs, ALLAN_WEIGHT)
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

  /** True once the base has been off its slow average by more than noise for 10 s: the averages must then start again from the fast one. */
  stepped(fast: number, slow: number, sigma: number, seconds: number): boolean {
    const far = this.#pairs > 0 && Math.abs(fast - slow) > CHANGE_SIGMAS * Math.max(sigma, 1e-3)
    this.#farSeconds = far ? this.#farSeconds + seconds : 0
    if (this.#farSeconds < CHANGE_SECONDS) return false
    this.#farSeconds = 0
    this.#before = null
    this.#sum = Number.NaN
    return true
  }
}
