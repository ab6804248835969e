// What another member says of itself to people is read field by field.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { memberId } from '../base/ids.ts'
import type { Json } from '../peer/message.ts'
import { summaryOf } from './condition.fixture.ts'
import { parseSummary } from './summary.ts'

const told: Json = summaryOf('m2')
const afterTheWire = () => JSON.parse(JSON.stringify(told))

it('a summary arrives as it was sent', () => {
  expect(parseSummary(afterTheWire(), memberId('m2'))).toEqual(told)
})

it('P10 a summary speaks for the member that sent it', () => {
  expect(parseSummary(afterTheWire(), memberId('m3'))).toBeNull()
})

it('P9 a summary in which any field is missing or of another kind is no answer', () => {
  const breakEach = (at: Record<string, unknown>, broken: () => unknown): unknown[] =>
    Object.keys(at).flatMap((name) => {
      const value = at[name]
      const results: unknown[] = []
      for (const other of [undefined, { x: 1 }]) {
        at[name] = other
        results.push(broken())
      }
      at[name] = value
      const inner = Array.isArray(value) ? value[0] : value
      if (typeof inner === 'object' && inner !== null) results.push(...breakEach(inner, broken))
      return results
    })
  const whole = afterTheWire()
  const results = breakEach(whole, () => parseSummary(whole, memberId('m2')))
  expect(results.length).toBeGreaterThan(80)
  expect(results.filter((one) => one !== null)).toEqual([])
  fc.assert(
    fc.property(fc.jsonValue(), (body) => {
      expect(parseSummary(body as Json, memberId('m2'))).toBeNull()
    }),
  )
})
