// The part of a member's load that no move of a session changes, as amounts of work: what it costs is asked each time, by
// the costs of the moment.
import { newestWeight } from './average.ts'
import { AVERAGE_KINDS, type AverageKind } from './load-table.ts'
import { TAU_SECONDS } from './session-load.ts'

type Price = (amounts: readonly number[]) => number

export class Base {
  readonly #amounts: Record<AverageKind, number[]>
  #variance = 0

  constructor(kinds: number) {
    const none = () => new Array<number>(kinds).fill(0)
    this.#amounts = { slow: none(), long: none(), fast: none() }
  }

  value(kind: AverageKind, price: Price): number {
    return price(this.#amounts[kind])
  }

  /** About the slow average, by the prices of its time. */
  get variance(): number {
    return this.#variance
  }

  observe(amounts: readonly number[], price: Price, seconds: number, ageSeconds: number): void {
    const x = price(amounts)
    const away = x - price(this.#amounts.slow)
    for (const kind of AVERAGE_KINDS) {
      const weight = newestWeight(TAU_SECONDS[kind], seconds, ageSeconds)
      const average = this.#amounts[kind]
      for (let i = 0; i < average.length; i++) {
        const old = average[i] ?? 0
        average[i] = old + ((amounts[i] ?? 0) - old) * weight
      }
    }
    const before = ageSeconds - seconds
    if (before <= 0) return
    const square = away * (x - price(this.#amounts.slow))
    this.#variance += (square - this.#variance) * newestWeight(TAU_SECONDS.long, seconds, before)
  }

  /** It is what it is now. */
  step(): void {
    this.#amounts.slow = [...this.#amounts.fast]
    this.#amounts.long = [...this.#amounts.fast]
  }

  /** The same work is now priced at so many times as much. */
  restate(times: number): void {
    this.#variance *= times * times
  }
}
