import { expect, test } from 'vitest'
import { BLOCK_SECONDS, Noise } from './noise.ts'

const PROMISED = 1e-4

/** σ after `blocks` of these loads, one after the other. */
function sigmaAfter(noise: Noise, loads: readonly number[], fromSeconds: number): number {
  loads.forEach((load, i) => {
    noise.observe(load, BLOCK_SECONDS, fromSeconds + i * BLOCK_SECONDS, PROMISED)
  })
  return noise.sigma ?? 0
}

const around = (middle: number, by: number, blocks: number) =>
  Array.from({ length: blocks }, (_, i) => middle + (i % 2 === 0 ? by : -by))

test('E7 what steps once is no noise, and what goes on swinging is', () => {
  const noise = new Noise()
  const before = sigmaAfter(noise, around(0.3, 0.01, 40), 60)
  expect(before).toBeGreaterThan(0.005)
  const stepped = sigmaAfter(noise, around(0.7, 0.01, 2), 60 + 40 * BLOCK_SECONDS)
  expect(stepped / before).toBeLessThan(1.15)
  const swinging = sigmaAfter(noise, around(0.5, 0.2, 60), 60 + 42 * BLOCK_SECONDS)
  expect(swinging).toBeGreaterThan(0.15)
})

test('E7 a member that was idle for a day learns within minutes how much the load swings that has come', () => {
  const noise = new Noise()
  expect(sigmaAfter(noise, around(0, 0, 2880), 60)).toBeLessThan(1e-5)
  const busy = around(0.5, 0.02, 10)
  busy.forEach((load, i) => {
    noise.observe(load, BLOCK_SECONDS, 90_000 + i * BLOCK_SECONDS, 4e-4)
  })
  expect(noise.sigma).toBeGreaterThan(0.008)
})
