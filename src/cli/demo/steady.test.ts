import { expect, it } from 'vitest'
import { isSteady } from './steady.ts'

const flat = (price: number, looks: number) => new Array<number>(looks).fill(price)

it.each([
  ['none', [], false],
  ['too few', flat(1, 7), false],
  ['all alike', flat(2e-5, 8), true],
  ['some that are still learnt', [1, 1.1, 1.3, 1.6, 2, 2.3, 2.5, 2.6], false],
  ['what was learnt before', [1, 2, ...flat(3, 8)], true],
  ['nothing that is served', flat(0, 8), true],
])('prices are steady that have agreed for a while: %s', (_, prices, steady) => {
  expect(isSteady(prices)).toBe(steady)
})
