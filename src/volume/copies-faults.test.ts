// As faults.test.ts, with two and three copies of each slice and longer faults: what was answered stays, whoever dies. And with slices
// that are wanted at other members meanwhile, with one copy to three: they come there, and nothing of them stays elsewhere.
import { describe, expect, it } from 'vitest'
import { whyNotLinearizable } from '../../test/kit/register.ts'
import { runFaults, unsettled } from './faults.fixture.ts'

/** Some seeds here; `SEEDS=200 SEED=1000 vitest run src/volume/copies-faults` looks further. */
const { SEEDS = '3', SEED = '1' } = process.env
const seeds = Number(SEEDS)
const first = Number(SEED)

describe('slices with copies under faults', () => {
  it.each(Array.from({ length: seeds }, (_, i) => first + i))(
    'R1 to R12: linearizable, and answered in the end (seed %i)',
    async (seed) => {
      const copies = 2 + (seed % 2)
      const judge = await runFaults(seed, {
        ...{ copies, slices: 3, rates: true, quietMs: 1_000 },
        ...{ lastMs: 15_000, longestMs: 8_000, healMs: 15_000 },
      })
      for (const [sector, history] of judge.histories.entries()) {
        expect(whyNotLinearizable(history), `sector ${sector}`).toBeNull()
      }
      expect(judge.stuck).toBe('')
      expect(judge.answers).toBeGreaterThan(100)
    },
  )

  it.each(Array.from({ length: seeds }, (_, i) => first + i))(
    'R1 to R13, HO2, LF1 to LF3: linearizable while slices are wanted elsewhere, and all come there (seed %i)',
    async (seed) => {
      const judge = await runFaults(seed, {
        ...{ copies: 1 + (seed % 3), slices: 3, rates: true, quietMs: 1_000, relocates: true },
        ...{ lastMs: 20_000, longestMs: 6_000, healMs: 15_000 },
      })
      for (const [sector, history] of judge.histories.entries()) {
        expect(whyNotLinearizable(history), `sector ${sector}`).toBeNull()
      }
      expect(judge.stuck).toBe('')
      expect(judge.answers).toBeGreaterThan(100)
      expect(judge.relocations).toBeGreaterThan(3)
      const { world } = judge
      if (world === null) throw new Error('no world')
      await world.timeline.until(() => unsettled(world).length === 0, 60_000, 'all in its place')
    },
  )
})
