import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Clock, untilBeat } from './clock.ts'

const never = { cancel: () => undefined }
const at = (now: number): Clock => ({
  nowMs: () => now,
  wallMs: () => 0,
  after: () => never,
  soon: () => never,
})

it('a round ends its wait on the beat, half a beat sooner or later than its period', () => {
  const rounds = fc.record({
    nowMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    everyMs: fc.integer({ min: 1, max: 10_000 }),
    beats: fc.integer({ min: 1, max: 4 }),
  })
  fc.assert(
    fc.property(rounds, ({ nowMs, everyMs, beats }) => {
      const beatMs = everyMs / beats
      const waitMs = untilBeat(at(nowMs), everyMs, beatMs)
      expect(waitMs).toBeGreaterThanOrEqual(everyMs - beatMs / 2)
      expect(waitMs).toBeLessThanOrEqual(everyMs + beatMs / 2)
      const off = (nowMs + waitMs) / beatMs
      expect(off - Math.round(off)).toBeCloseTo(0, 5)
    }),
  )
})

it('rounds of one period that began at different times go on together', () => {
  const ends = [10_020, 10_480, 10_900].map((now) => now + untilBeat(at(now), 1_000))
  expect(ends).toEqual([11_000, 11_000, 12_000])
  expect(10_020 + untilBeat(at(10_020), 1_000, 250)).toBe(11_000)
  expect(10_480 + untilBeat(at(10_480), 1_000, 250)).toBe(11_500)
  expect(10_249.999 + untilBeat(at(10_249.999), 1_000, 250)).toBe(11_250)
})
