// A few dozen seeds of the whole group (npm run sim plays more; EVENKEEL_SIM_SEEDS says how many here).
import { expect, test } from 'vitest'
import { runSeed } from './seed.ts'
import { addTotals, mustHappen, mustHappenToCopies, noTotals } from './totals.ts'

const { EVENKEEL_SIM_SEEDS = '200' } = process.env
const SEEDS = Number(EVENKEEL_SIM_SEEDS)
/** With copies a seed takes twice as long, or more. */
const COPIES_SEEDS = Math.ceil(SEEDS / 8)
const LIMIT_MS = 5_000 * SEEDS

test('S1 a seed repeats itself, event for event', { timeout: LIMIT_MS }, async () => {
  const settings = { faults: true, print: null }
  const first = await runSeed(3, settings)
  const again = await runSeed(3, settings)
  const other = await runSeed(4, settings)
  expect(again.hash).toBe(first.hash)
  expect(other.hash).not.toBe(first.hash)
})

test(`S2 ${SEEDS} seeds of crashes and restarts: no violation, no stall, no leak`, {
  timeout: LIMIT_MS,
}, async () => {
  const totals = noTotals()
  const failures: string[] = []
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const verdict = await runSeed(seed, { faults: true, print: null })
    addTotals(totals, verdict.totals)
    if (verdict.violations.length === 0) continue
    failures.push(`npm run sim -- --seed ${seed} --trace: ${verdict.violations.join('; ')}`)
  }
  console.log(`${SEEDS} seeds:`, JSON.stringify(totals))
  expect(failures).toEqual([])
  // A rule that was never needed was not tested.
  const missing = SEEDS < 50 ? [] : mustHappen.filter((key) => totals[key] === 0)
  expect(missing).toEqual([])
})

test(`S2 ${COPIES_SEEDS} seeds with one copy to three, of slices that come to be wanted elsewhere: no violation, no stall, no leak, and copies are equal`, {
  timeout: LIMIT_MS,
}, async () => {
  const totals = noTotals()
  const failures: string[] = []
  for (let seed = 1; seed <= COPIES_SEEDS; seed += 1) {
    const verdict = await runSeed(seed, { faults: true, copies: 'any', print: null })
    addTotals(totals, verdict.totals)
    if (verdict.violations.length === 0) continue
    const again = `npm run sim -- --seed ${seed} --trace --copies any`
    failures.push(`${again}: ${verdict.violations.join('; ')}`)
  }
  console.log(`${COPIES_SEEDS} seeds:`, JSON.stringify(totals))
  expect(failures).toEqual([])
  const missing = COPIES_SEEDS < 40 ? [] : mustHappenToCopies.filter((key) => totals[key] === 0)
  expect(missing).toEqual([])
})
