// What CPU and work do together at one member, second by second: fading means of both, of their squares and of their product.
import { newestWeight } from './average.ts'

/** What a member's CPU swings by, beside its work, stays so for about so long. */
export const DEPENDENT_SECONDS = 20

export class CpuOverWork {
  seconds = 0
  cpu = 0
  priced = 0
  cpuSquare = 0
  pricedSquare = 0
  product = 0
  readonly #memorySeconds: number

  constructor(memorySeconds: number) {
    this.#memorySeconds = memorySeconds
  }

  /** `priced`: the work of these seconds by the prior, a second. */
  observe(seconds: number, cpu: number, priced: number): void {
    this.seconds += seconds
    const weight = newestWeight(this.#memorySeconds, seconds, this.seconds)
    this.cpu += (cpu - this.cpu) * weight
    this.priced += (priced - this.priced) * weight
    this.cpuSquare += (cpu * cpu - this.cpuSquare) * weight
    this.pricedSquare += (priced * priced - this.pricedSquare) * weight
    this.product += (priced * cpu - this.product) * weight
  }
}
