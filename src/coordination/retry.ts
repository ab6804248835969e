// Read, compare and write again: what a transaction that was lost, or whose coordinator is away, comes to.
import { type Clock, sleep } from '../base/clock.ts'

export interface Pace {
  readonly tries: number
  readonly everyMs: number
}

/** What `once` gives that is not null: 'not yet', for whatever reason. Null itself when all tries are used up. */
export async function retry<T>(
  clock: Clock,
  { tries, everyMs }: Pace,
  once: () => Promise<T | null>,
): Promise<T | null> {
  for (let left = tries; left > 0; left -= 1) {
    const result = await once()
    if (result !== null) return result
    await sleep(clock, everyMs)
  }
  return null
}
