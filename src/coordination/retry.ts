// Read, compare and write again: what a transaction that was lost, or whose coordinator is away, comes to.
//
// Invariants:
//   RT1. No try begins later than `forMs` after the first one: whoever asked for it gives up waiting, and is to hear why.
import { type Clock, sleep } from '../base/clock.ts'

export interface Pace {
  readonly tries: number
  readonly everyMs: number
  /** A try takes long by itself while the coordinator is busy or away. */
  readonly forMs: number
}

/** What `once` gives that is not null: 'not yet', for whatever reason. Null itself when all tries are used up, or the time is. */
export async function retry<T>(
  clock: Clock,
  { tries, everyMs, forMs }: Pace,
  once: () => Promise<T | null>,
): Promise<T | null> {
  const untilMs = clock.nowMs() + forMs
  for (let left = tries; left > 0 && clock.nowMs() <= untilMs; left -= 1) {
    const result = await once()
    if (result !== null) return result
    await sleep(clock, everyMs)
  }
  return null
}
