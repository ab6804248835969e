// Up to which number all of a row are done that are done one by one, mostly in their order.
export class Reached {
  #upTo = 0
  readonly #ahead = new Set<number>()

  /** All numbers from 1 to this one are done. */
  get upTo(): number {
    return this.#upTo
  }

  /** This one is done, too. */
  add(number: number): number {
    if (number !== this.#upTo + 1) {
      this.#ahead.add(number)
      return this.#upTo
    }
    this.#upTo = number
    while (this.#ahead.delete(this.#upTo + 1)) this.#upTo += 1
    return this.#upTo
  }
}
