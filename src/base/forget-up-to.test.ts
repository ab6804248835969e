import fc from 'fast-check'
import { expect, it } from 'vitest'
import { forgetUpTo } from './forget-up-to.ts'

it('what is acknowledged is forgotten, and nothing else, however far the news reaches', () => {
  const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 60 }))
  fc.assert(
    fc.property(numbers, fc.nat(20), fc.nat({ max: 2 ** 48 }), (all, known, news) => {
      const left = all.filter((number) => number > known)
      const upTo = known + (news % 2 === 0 ? news : news % 40)
      const set = new Set(left)
      forgetUpTo(set, known, upTo)
      expect([...set]).toEqual(left.filter((number) => number > upTo))
    }),
  )
})
