// What a member has promised: load of sessions that were granted or placed here and have not arrived. In its fresh load
// and in its reports until they have, so that nobody is promised the same room twice.
//
// I8. The sum is that of promises that were given and neither arrived nor ran out; a lost answer frees its room within
//     `reservationSeconds`.
import type { Policy } from './policy.ts'

export interface Promised {
  /** By resource. */
  readonly load: readonly number[]
  readonly untilMs: number
}

/** After its arrival a session's room is kept until it has been measured for a moment. */
const SETTLING_MS = 2000

export class Reservations {
  readonly #promised = new Map<string, Promised>()

  /** Also renews: a move that lasts does so each second. */
  promise(token: string, load: readonly number[], nowMs: number, policy: Policy): void {
    const untilMs = nowMs + policy.reservationSeconds * 1000
    this.#promised.set(token, { load, untilMs })
  }

  /** True if the promise was still there. */
  renew(token: string, nowMs: number, policy: Policy): boolean {
    const promised = this.at(token, nowMs)
    if (promised === null) return false
    this.promise(token, promised.load, nowMs, policy)
    return true
  }

  release(token: string): void {
    this.#promised.delete(token)
  }

  /** The session is here. One whose estimate came with it counts in full at once, and its promise ends (`measured`). */
  arrived(token: string, measured: boolean, nowMs: number): void {
    const promised = this.#promised.get(token)
    if (promised === undefined) return
    if (measured) this.#promised.delete(token)
    else this.#promised.set(token, { load: promised.load, untilMs: nowMs + SETTLING_MS })
  }

  at(token: string, nowMs: number): Promised | null {
    const promised = this.#promised.get(token)
    return promised !== undefined && promised.untilMs > nowMs ? promised : null
  }

  /** By resource; forgets what has run out. */
  sum(resources: number, nowMs: number): number[] {
    const sum = new Array<number>(resources).fill(0)
    for (const [token, { load, untilMs }] of this.#promised) {
      if (untilMs <= nowMs) this.#promised.delete(token)
      else for (let r = 0; r < resources; r++) sum[r] = (sum[r] ?? 0) + (load[r] ?? 0)
    }
    return sum
  }
}
