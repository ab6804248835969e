import { expect, test } from 'vitest'
import { NetworkCapacity } from './network-capacity.ts'

const SPEED = 125_000_000

/** What is full of it: the sum of both ways over the capacity. */
function fullness(received: number, sent: number): number {
  const capacity = new NetworkCapacity()
  for (let second = 0; second < 60; second++) capacity.observe(1, received, sent)
  return (received + sent) / capacity.at(SPEED)
}

test('an interface is as full as the busier of its two ways, whatever the mix', () => {
  expect(fullness(SPEED / 2, 0)).toBeCloseTo(0.5, 2)
  expect(fullness(0, SPEED / 2)).toBeCloseTo(0.5, 2)
  expect(fullness(SPEED / 2, SPEED / 2)).toBeCloseTo(0.5, 1)
  expect(fullness(SPEED / 4, (3 * SPEED) / 4)).toBeCloseTo(0.75, 1)
})

test('of a mix that nobody has seen yet one way counts, and a second of it changes little', () => {
  const capacity = new NetworkCapacity()
  expect(capacity.at(SPEED)).toBe(SPEED)
  for (let second = 0; second < 300; second++) capacity.observe(1, 0, SPEED / 2)
  const before = capacity.at(SPEED)
  capacity.observe(1, SPEED, 0)
  expect(capacity.at(SPEED) / before).toBeLessThan(1.02)
})
