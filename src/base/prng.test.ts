import { expect, it } from 'vitest'
import { Prng, seedOf } from './prng.ts'

it('members of any names draw differently', () => {
  const names = ['alpha', 'beta', 'gamma', 'm1', 'm2', 'm3', 'm10', 'node-1.a', 'node-1.b']
  const seeds = names.map(seedOf)
  expect(new Set(seeds).size).toBe(names.length)
  expect(new Set(seeds.map((seed) => new Prng(seed).unit())).size).toBe(names.length)
  // They decide at moments that are apart: of 16 parts of an interval few are taken twice.
  expect(new Set(seeds.map((seed) => Math.floor(seed / 2 ** 28))).size).toBeGreaterThan(5)
})
