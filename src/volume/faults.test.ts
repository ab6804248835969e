// The data path under faults (faults.fixture.ts): every sector linearizable, every write carried out once, everything answered
// in the end.
import { describe, expect, it } from 'vitest'
import { whyNotLinearizable } from '../../test/kit/register.ts'
import { runFaults } from './faults.fixture.ts'

/** Four seeds here; `SEEDS=200 SEED=1000 vitest run src/volume/faults` looks further. */
const { SEEDS = '4', SEED = '1' } = process.env
const seeds = Number(SEEDS)
const first = Number(SEED)

describe('the data path under faults', () => {
  it.each(Array.from({ length: seeds }, (_, i) => first + i))(
    'W1 W2 W3 V1 V2 V3 V4 hold: linearizable, once, and answered (seed %i)',
    async (seed) => {
      const judge = await runFaults(seed)
      for (const [sector, history] of judge.histories.entries()) {
        expect(whyNotLinearizable(history), `sector ${sector}`).toBeNull()
      }
      expect(judge.stuck).toBe('')
      expect(judge.answers).toBeGreaterThan(300)
    },
  )
})
