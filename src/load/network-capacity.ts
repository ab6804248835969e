// What a network interface takes in a second, both ways together, at the mix of both ways that its member has. It takes so much
// each way; what fills first is the busier one. As the sum of both ways, in which loads can be added up, that is between once
// and twice the speed.
import { newestWeight } from './average.ts'
import { TAU_SECONDS } from './session-load.ts'

/** Of the speed: less than that a second tells nothing of the mix, and then one way counts. */
const SLACK = 0.01

export class NetworkCapacity {
  #received = 0
  #sent = 0
  #ageSeconds = 0

  /** One sample, in bytes. */
  observe(seconds: number, received: number, sent: number): void {
    this.#ageSeconds += seconds
    const weight = newestWeight(TAU_SECONDS.long, seconds, this.#ageSeconds)
    this.#received += (received / seconds - this.#received) * weight
    this.#sent += (sent / seconds - this.#sent) * weight
  }

  /** Bytes a second. `speed`: each way. */
  at(speed: number): number {
    const slack = SLACK * speed
    const busier = Math.max(this.#received, this.#sent)
    return (speed * (this.#received + this.#sent + slack)) / (busier + slack)
  }
}
