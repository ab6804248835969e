import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { SessionCounters } from '../load/counters.ts'
import type { LiveSession } from '../target/live-session.ts'
import { Rates } from './rates.ts'

describe('rates', () => {
  it('the forwarded share is of the pieces, however unevenly they come', async () => {
    const timeline = new Timeline()
    const counters = new SessionCounters()
    const session = { counters } as LiveSession
    const rates = new Rates(new SimClock(timeline), () => [session], 0)
    await timeline.run(1_500)
    const steps = [
      [100, 0],
      [0, 50],
      [0, 0],
      [3, 400],
    ] as const
    for (const [own, others] of steps) {
      counters.piecesByPrimary[0] = (counters.piecesByPrimary[0] ?? 0) + own
      counters.piecesByPrimary[1] = (counters.piecesByPrimary[1] ?? 0) + others
      await timeline.run(timeline.nowMs + 1_000)
      const { forwardedShare } = rates.of(session)
      expect(forwardedShare).toBeGreaterThanOrEqual(0)
      expect(forwardedShare).toBeLessThanOrEqual(1)
    }
    expect(rates.of(session).forwardedShare).toBeGreaterThan(0.7)
    rates.stop()
  })

  it('a session that has just come is told by what it has done since, not as idle', async () => {
    const timeline = new Timeline()
    const session = { counters: new SessionCounters() } as LiveSession
    const here: LiveSession[] = []
    const rates = new Rates(new SimClock(timeline), () => here, 0)
    await timeline.run(1_000)
    here.push(session)
    session.counters.reads = 80
    await timeline.run(1_400)
    expect(rates.of(session).iops).toBeCloseTo(200)
    await timeline.run(2_000)
    expect(rates.of(session).iops).toBeCloseTo(80)
    rates.stop()
  })
})
