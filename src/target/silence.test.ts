import { expect, it } from 'vitest'
import { Silence } from './silence.ts'

/** What each of `ticks` seconds says; `heard` in each of them. */
function play(ticks: number, heard: (tick: number) => { arrivalMs: number; owed: number | null }) {
  const silence = new Silence()
  return Array.from({ length: ticks }, (_, tick) => {
    const { arrivalMs, owed } = heard(tick)
    return silence.tick(arrivalMs, owed)
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
