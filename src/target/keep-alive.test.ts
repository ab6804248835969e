import { expect, it } from 'vitest'
import { KeepAlive } from './keep-alive.ts'

/** What each of `ticks` seconds says; `heard` in each of them. */
function play(
  ticks: number,
  heard: (tick: number) => { arrivalMs: number; owed: number | null; dataOuts?: number | null },
) {
  const silence = new KeepAlive()
  return Array.from({ length: ticks }, (_, tick) => {
    const { arrivalMs, owed, dataOuts = null } = heard(tick)
    return silence.tick(arrivalMs, owed, dataOuts)
  })
}

it('I1 asks once after 20 ticks without an arrival, and gives up after 60', () => {
  const said = play(61, () => ({ arrivalMs: 7, owed: null }))
  expect(said.indexOf('ask')).toBe(20)
  expect(said.filter((word) => word === 'ask')).toHaveLength(1)
  expect(said.indexOf('over')).toBe(60)
})

it('I1 begins anew with every arrival', () => {
  const said = play(400, (tick) => ({ arrivalMs: Math.floor(tick / 30), owed: null }))
  expect(said).not.toContain('over')
  expect(said.filter((word) => word === 'ask')).toHaveLength(13)
})

it('I2 gives up when a barrier is owed an answer for 60 ticks, though other things arrive', () => {
  const said = play(61, (tick) => ({ arrivalMs: tick, owed: 5 }))
  expect(said.indexOf('over')).toBe(60)
})

it('I2 counts for the oldest unanswered barrier alone', () => {
  const said = play(400, (tick) => ({ arrivalMs: tick, owed: Math.floor(tick / 50) }))
  expect(said).not.toContain('over')
})

it('I3 gives up one that sends none of its data for 10 s while others wait, and only while they wait', () => {
  const stalled = play(30, (tick) => ({ arrivalMs: tick, owed: null, dataOuts: 5 }))
  expect(stalled.indexOf('stalled')).toBe(10)
  const slow = play(60, (tick) => ({ arrivalMs: tick, owed: null, dataOuts: Math.floor(tick / 9) }))
  expect(slow).not.toContain('stalled')
  const alone = play(60, (tick) => ({ arrivalMs: tick, owed: null, dataOuts: tick % 9 ? 5 : null }))
  expect(alone).not.toContain('stalled')
})
