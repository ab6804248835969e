import { expect, it } from 'vitest'
import { memberId } from '../base/ids.ts'
import { mayTry, measureOf, SilentLooks } from './copy-looks.ts'

const [b, c] = [memberId('b'), memberId('c')]
const fine = { trouble: null, hasRestarted: false, isSilent: false, isDead: false }

it('LK1 R4 a copy is removed when it is silent at several looks in a row, or cannot keep what it is sent', () => {
  const looks = new SilentLooks()
  const silent = [{ ...fine, member: b, isSilent: true }]
  expect(measureOf(silent, looks)).toBeNull()
  expect(measureOf(silent, looks)).toBeNull()
  expect(measureOf([{ ...fine, member: b }], looks)).toBeNull()
  expect(measureOf(silent, looks)).toBeNull()
  expect(measureOf(silent, looks)).toBeNull()
  expect(measureOf(silent, looks)).toEqual({ kind: 'without', members: [b] })
  const full = [
    { ...fine, member: b },
    { ...fine, member: c, trouble: 'cannot' as const },
  ]
  expect(measureOf(full, new SilentLooks())).toEqual({ kind: 'without', members: [c] })
  const dead = { ...fine, member: b, isDead: true }
  expect(measureOf([dead], new SilentLooks())).toEqual({ kind: 'without', members: [b] })
})

it('R9 a copy that has started again, or refuses the epoch, is activated anew', () => {
  const again = { kind: 'again' }
  expect(measureOf([{ ...fine, member: b, hasRestarted: true }], new SilentLooks())).toEqual(again)
  const refuses = { ...fine, member: b, trouble: 'refuses' as const }
  expect(measureOf([refuses], new SilentLooks())).toEqual(again)
})

it('R6 LK1 the first of the copies takes over before the others do', () => {
  expect([1, 2, 3].map((looks) => mayTry(looks, 0))).toEqual([false, false, true])
  expect([3, 6, 7].map((looks) => mayTry(looks, 1))).toEqual([false, false, true])
  const looks = new SilentLooks()
  looks.proven(b)
  expect(mayTry(looks.count(b), 0)).toBe(true)
})
