// A seeded pseudo-random source (mulberry32): the same seed gives the same run. Not for secrets.
import { crc32c } from './crc32c.ts'
import { encodeText } from './text.ts'

/** 32 bits for a name: names that differ draw differently, whatever they consist of. */
export function seedOf(name: string): number {
  return crc32c(encodeText(name))
}

export class Prng {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** Uniform in [0, 1). */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** Uniform integer in [low, high]. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.unit() < probability
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.integer(0, items.length - 1)]
    if (item === undefined) throw new RangeError('pick from nothing')
    return item
  }

  /** An independent source, so that one consumer's draws do not shift another's. */
  fork(): Prng {
    return new Prng(this.integer(0, 0x7fffffff))
  }
}
