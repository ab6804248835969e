// What a member has of a slice, in a few numbers: two members that have the same need not send each other the list.
//
// Invariants:
//   SD1. It does not depend on the order in which pages and operations came, nor on what of them is home.
//   SD2. Two that agree have the same pages with the same stamps: either all that are told, or all that hold something, since
//        who has folded a tombstone (SI1) has as little of its page as who has not. A difference says nothing but that the
//        lists are to be compared.
import type { OperationWindow } from './operations.ts'
import type { PageVersion } from './pages.ts'

export interface SliceDigest {
  /** Of each page that is told: `all` with its tombstones, `held` without. Sixteen hexadecimal digits each. */
  readonly all: string
  readonly held: string
  /** Of what is remembered of operations. */
  readonly operations: string
}

export function digestOf(
  versions: Iterable<PageVersion>,
  windows: Iterable<OperationWindow>,
): SliceDigest {
  const all = new Sum()
  const held = new Sum()
  for (const { volume, page, stamp, isTombstone } of versions) {
    all.add(volume, page, stamp.epoch, stamp.seq)
    if (!isTombstone) held.add(volume, page, stamp.epoch, stamp.seq)
  }
  const operations = new Sum()
  for (const { session, gen, upTo, numbers } of windows) {
    operations.add(session, gen, upTo, 0)
    for (const number of numbers) operations.add(session, gen, number, 1)
  }
  return { all: all.toString(), held: held.toString(), operations: operations.toString() }
}

/** SD2 */
export function haveSamePages(a: SliceDigest, b: SliceDigest): boolean {
  return a.all === b.all || a.held === b.held
}

/** Of 64 bits, of members of a set in any order: each adds a number that depends on all of its fields. */
class Sum {
  #count = 0
  #high = 0
  #low = 0

  add(a: number, b: number, c: number, d: number): void {
    let high = 0x9747b28c
    let low = 0x3c074a61
    for (const field of [a, b, c, d]) {
      const top = Math.floor(field / 2 ** 32)
      high = mixed(mixed(high, field | 0), top)
      low = mixed(mixed(low, top), ~field)
    }
    this.#high = (this.#high + high) >>> 0
    this.#low = (this.#low + low) >>> 0
    this.#count += 1
  }

  toString(): string {
    const high = mixed(this.#high, this.#count) >>> 0
    return [high, this.#low].map((word) => word.toString(16).padStart(8, '0')).join('')
  }
}

function mixed(hash: number, word: number): number {
  let mix = Math.imul(hash ^ word, 0x85ebca6b)
  mix ^= mix >>> 13
  mix = Math.imul(mix, 0xc2b2ae35)
  return mix ^ (mix >>> 16)
}
