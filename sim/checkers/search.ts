// Judges one block by search: for histories with comparisons or with values that were written more than once (zeros),
// which the zone test cannot judge. Wing and Gong's algorithm with Lowe's memory ("Testing for linearizability", 2017):
// what may come next is tried, and no state is tried twice.
//
//   next may be what was invoked before the earliest return of what is certain and still to come. What is not certain may
//   be left out, and cannot come after its own return: not behind anything that was invoked later than that.
import type { Operation } from '../../src/initiator/history.ts'

const STATES_MAX = 300_000

export type Verdict = 'linearizable' | 'not linearizable' | 'undecided'

/** Comparisons, or zeros that somebody wrote. */
export function needsSearch(operations: readonly Operation[]): boolean {
  return operations.some(
    ({ kind, value }) =>
      kind === 'compareAndWrite' || kind === 'miscompare' || (kind === 'write' && value === 0),
  )
}

/** One register that held 0 before anything began. */
export function search(operations: readonly Operation[]): Verdict {
  return new Search(operations.filter(matters(operations))).verdict()
}

/** What may not have happened, and nobody saw or compared with, explains nothing but a miscompare. */
function matters(operations: readonly Operation[]): (operation: Operation) => boolean {
  if (operations.some(({ kind }) => kind === 'miscompare')) return () => true
  const seen = new Set<number>()
  for (const { kind, value, expected } of operations) {
    if (kind === 'read') seen.add(value)
    if (expected !== undefined) seen.add(expected)
  }
  return ({ certain, value }) => certain || seen.has(value)
}

class Search {
  /** By invocation. */
  readonly #operations: readonly Operation[]
  readonly #done: Uint8Array
  readonly #tried = new Set<string>()
  #left: number

  constructor(operations: readonly Operation[]) {
    this.#operations = [...operations].sort((a, b) => a.invokedMs - b.invokedMs)
    this.#done = new Uint8Array(operations.length)
    this.#left = operations.filter(({ certain }) => certain).length
  }

  verdict(): Verdict {
    if (this.#goesOn(0, Number.NEGATIVE_INFINITY)) return 'linearizable'
    return this.#tried.size >= STATES_MAX ? 'undecided' : 'not linearizable'
  }

  /** `sinceMs`: the latest invocation of what has come. */
  #goesOn(value: number, sinceMs: number): boolean {
    if (this.#left === 0) return true
    const state = `${String.fromCharCode(...this.#done)}${value}`
    if (this.#tried.has(state) || this.#tried.size >= STATES_MAX) return false
    this.#tried.add(state)
    for (const at of this.#next(value, sinceMs)) {
      const operation = this.#operations[at]
      if (operation === undefined) continue
      this.#done[at] = 1
      if (operation.certain) this.#left -= 1
      const found = this.#goesOn(after(operation, value), Math.max(sinceMs, operation.invokedMs))
      if (found) return true
      this.#done[at] = 0
      if (operation.certain) this.#left += 1
    }
    return false
  }

  /** Reads first, which change nothing; what may be left out last. */
  #next(value: number, sinceMs: number): number[] {
    let untilMs = Number.POSITIVE_INFINITY
    const open: number[] = []
    for (const [at, operation] of this.#operations.entries()) {
      if (operation.invokedMs > untilMs) break
      if (this.#done[at] === 1) continue
      if (operation.certain) untilMs = Math.min(untilMs, operation.returnedMs)
      else if (operation.returnedMs < sinceMs) continue
      open.push(at)
    }
    const rank = (at: number) => {
      const operation = this.#operations[at]
      if (operation === undefined || operation.invokedMs > untilMs) return -1
      if (!fits(operation, value)) return -1
      if (!operation.certain) return 3
      return operation.kind === 'read' || operation.kind === 'miscompare' ? 0 : 1
    }
    return open.filter((at) => rank(at) >= 0).sort((a, b) => rank(a) - rank(b) || a - b)
  }
}

function fits({ kind, value, expected }: Operation, now: number): boolean {
  switch (kind) {
    case 'write':
      return true
    case 'read':
      return value === now
    case 'compareAndWrite':
      return expected === now
    case 'miscompare':
      return expected !== now
  }
}

function after({ kind, value }: Operation, now: number): number {
  return kind === 'write' || kind === 'compareAndWrite' ? value : now
}
