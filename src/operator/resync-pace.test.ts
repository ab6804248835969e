import { expect, test } from 'vitest'
import { memberId } from '../base/ids.ts'
import { ResyncPace } from './resync-pace.ts'

const m3 = memberId('m3')
const missing = (count: number) => new Map([[m3, count]])

test('the time left is as the copies came back so far', () => {
  const pace = new ResyncPace()
  pace.look(missing(300), 1_000)
  expect(pace.msLeft(m3, 1_000)).toBeNull()
  pace.look(missing(290), 4_000)
  expect(pace.msLeft(m3, 4_000)).toBeNull() // too soon
  pace.look(missing(200), 21_000)
  expect(pace.msLeft(m3, 21_000)).toBe(40_000)
  pace.look(missing(200), 41_000)
  expect(pace.msLeft(m3, 41_000)).toBe(80_000) // it has slowed down
  pace.look(missing(0), 42_000)
  expect(pace.msLeft(m3, 42_000)).toBeNull()
})

test('RP1 when more are missing than before, the pace begins anew', () => {
  const pace = new ResyncPace()
  pace.look(missing(100), 0)
  pace.look(missing(50), 20_000)
  pace.look(missing(60), 23_000)
  expect(pace.msLeft(m3, 43_000)).toBeNull()
  pace.look(missing(40), 43_000)
  expect(pace.msLeft(m3, 43_000)).toBe(40_000)
  pace.look(new Map(), 44_000)
  pace.look(missing(40), 45_000)
  expect(pace.msLeft(m3, 45_000)).toBeNull()
})
