// What a power cut leaves of what was not synced: by each sector for itself, or by neighbours alike.
import type { Prng } from '../src/base/prng.ts'
import type { Choose } from './inode.ts'

export function chooseEach(prng: Prng): Choose {
  return (choices) => prng.integer(0, choices - 1)
}

/** Neighbouring sectors mostly share their fate, so that whole records vanish before others that stay. */
export function chooseRuns(prng: Prng): Choose {
  let fate = prng.unit()
  const changeable = prng.pick([0.06, 0.06, 0.005, 0.001])
  return (choices) => {
    if (prng.chance(changeable)) fate = prng.chance(0.5) ? 0 : prng.unit()
    return Math.min(choices - 1, Math.floor(fate * 1.5 * choices))
  }
}
