import { expect, it } from 'vitest'
import { violations } from '../../sim/cut-totals.ts'
import { runPowerCuts } from '../../sim/power-cuts.ts'

/** Seconds of work, minutes on a machine that is busy with other things. */
const LIMIT_MS = 300_000

it(
  'ST1 ST2 ST3 ST4 ST5 RC1 RO1 hold through power cuts in writing, home writing, checkpoints and recovery',
  async () => {
    const plain = await runPowerCuts({ seeds: 120, start: 1, stopFirst: false, focus: null })
    const large = await runPowerCuts({ seeds: 30, start: 1, stopFirst: false, focus: 'large' })
    const stale = await runPowerCuts({ seeds: 40, start: 1, stopFirst: false, focus: 'stale' })
    const reuse = await runPowerCuts({ seeds: 60, start: 1, stopFirst: false, focus: 'reuse' })
    const full = await runPowerCuts({ seeds: 60, start: 1, stopFirst: false, focus: 'full' })
    const budget = await runPowerCuts({ seeds: 40, start: 1, stopFirst: false, focus: 'budget' })
    const direct = await runPowerCuts({ seeds: 60, start: 1, stopFirst: false, focus: 'direct' })
    const install = await runPowerCuts({ seeds: 80, start: 1, stopFirst: false, focus: 'install' })
    for (const totals of [plain, large, stale, reuse, full, budget, direct, install]) {
      const { cuts, recoveryCuts, acknowledged, lost, torn, firstReason } = totals
      process.stdout.write(
        `power cuts: ${cuts} (${recoveryCuts} in recovery), ${acknowledged} changes answered, ${totals.full} full, ` +
          `${lost} lost, ${torn} torn, ${violations(totals)} violations in all\n`,
      )
      expect(firstReason).toBeNull()
      expect(violations(totals)).toBe(0)
    }
    expect(plain.cuts).toBeGreaterThan(600)
    expect(plain.acknowledged).toBeGreaterThan(4000)
    expect(full.full).toBeGreaterThan(100)
    expect(budget.full).toBeGreaterThan(500)
  },
  LIMIT_MS,
)
