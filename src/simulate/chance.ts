// Chance, in independent streams of one seed: what one use of it draws does not shift what another one gets, and so every
// policy meets the same sessions. The generator and the order of draws are part of the form of scenarios: who draws alike
// gets the same world from the same seed.

const SALT = 7

/** One stream for each use. */
export const STREAM = {
  places: 1,
  demand: 2,
  measuring: 3,
  policy: 4,
  logins: 5,
  machine: 77,
} as const

export class Chance {
  #a: number
  #b: number
  #c: number
  #counter = 1
  #spare: number | null = null

  constructor(seed: number, stream: number) {
    let state = (seed * 0x9e3779b9 + stream * 0x85ebca6b + SALT) | 0
    const next = () => {
      state = (state + 0x9e3779b9) | 0
      const once = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
      const twice = Math.imul(once ^ (once >>> 15), 0x735a2d97)
      return (twice ^ (twice >>> 15)) | 0
    }
    this.#a = next()
    this.#b = next()
    this.#c = next()
    for (let i = 0; i < 12; i++) this.unit()
  }

  /** Uniform in [0, 1); sfc32. */
  unit(): number {
    const drawn = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + drawn) | 0
    return (drawn >>> 0) / 4294967296
  }

  whole(below: number): number {
    return Math.floor(this.unit() * below)
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.unit())
  }

  /** Shape 1.5, capped at twenty means. */
  pareto(mean: number): number {
    return Math.min(20 * mean, mean / 3 / (1 - this.unit()) ** (1 / 1.5))
  }

  normal(): number {
    if (this.#spare !== null) {
      const spare = this.#spare
      this.#spare = null
      return spare
    }
    for (;;) {
      const x = 2 * this.unit() - 1
      const y = 2 * this.unit() - 1
      const square = x * x + y * y
      if (square >= 1 || square === 0) continue
      const stretched = Math.sqrt((-2 * Math.log(square)) / square)
      this.#spare = y * stretched
      return x * stretched
    }
  }

  /** In place. */
  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.whole(i + 1)
      const a = list[i] as T
      list[i] = list[j] as T
      list[j] = a
    }
    return list
  }

  /** Up to `count` of them, without replacement. */
  some<T>(list: readonly T[], count: number): T[] {
    const pool = [...list]
    const drawn: T[] = []
    while (drawn.length < count && pool.length > 0)
      drawn.push(...pool.splice(this.whole(pool.length), 1))
    return drawn
  }
}
