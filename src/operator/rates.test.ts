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
    const session = { counters, beganMs: 0 } as LiveSession
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

  it('a session that has just come is told by what it has done since, over the time since', async () => {
    const timeline = new Timeline()
    const clock = new SimClock(timeline)
    const beganMs = clock.nowMs() + 1_200
    const session = { counters: new SessionCounters(), beganMs } as LiveSession
    const here: LiveSession[] = []
    const rates = new Rates(clock, () => here, 0)
    await timeline.run(1_000)
    here.push(session)
    session.counters.reads = 80
    await timeline.run(1_400)
    expect(rates.of(session).iops).toBeCloseTo(400)
    session.counters.reads = 320
    await timeline.run(2_500)
    expect(rates.of(session).iops).toBeCloseTo(400)
    rates.stop()
  })

  it('a rate of the first moments is not what the next seconds are blended with', async () => {
    const timeline = new Timeline()
    const clock = new SimClock(timeline)
    const beganMs = clock.nowMs() + 1_900
    const session = { counters: new SessionCounters(), beganMs } as LiveSession
    const rates = new Rates(clock, () => [session], 0)
    await timeline.run(2_500)
    expect(rates.of(session).iops).toBe(0)
    session.counters.reads = 2_900
    await timeline.run(3_500)
    expect(rates.of(session).iops).toBeCloseTo(2_900)
    rates.stop()
  })
})
