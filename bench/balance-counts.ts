// What is kept of a run besides its figures.
import type { LoggedMove } from '../src/simulate/figures.ts'

/** Most moves that nobody forced of one member in a round, and of one session in all; those of the first session, and of one by drains. */
export interface Counts {
  readonly perRound: number
  readonly perSession: number
  readonly ofFirst: number
  readonly forcedPerSession: number
}

export function countsOf(log: readonly LoggedMove[]): Counts {
  const most = (keys: readonly string[]) => {
    const counts = new Map<string, number>()
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
    return Math.max(0, ...counts.values())
  }
  const own = log.filter(({ forced }) => !forced)
  const forced = log.filter((move) => move.forced)
  return {
    perRound: most(own.map(({ t, from }) => `${t} ${from}`)),
    perSession: most(log.map(({ session }) => String(session))),
    ofFirst: own.filter(({ session }) => session === 0).length,
    forcedPerSession: most(forced.map(({ session }) => String(session))),
  }
}
