import fc from 'fast-check'
import { expect, it } from 'vitest'
import { BufferPool } from './buffer-pool.ts'

const MIB = 1024 * 1024
const sizes = fc.array(fc.integer({ min: 0, max: 6 * MIB }), { maxLength: 40 })

it('BP1 a buffer is taken by one taker at a time, and holds what was asked for', () => {
  fc.assert(
    fc.property(sizes, sizes, (first, second) => {
      const pool = new BufferPool(64 * MIB)
      const views = first.map((bytes) => pool.take(bytes).subarray(0, bytes))
      // An empty view of a buffer is as good as all of it.
      for (const view of views) pool.give(view)
      const taken = second.map((bytes) => pool.take(bytes))
      expect(new Set(taken.map(({ buffer }) => buffer)).size).toBe(taken.length)
      for (const [i, { length }] of taken.entries())
        expect(length).toBeGreaterThanOrEqual(second[i]!)
    }),
    { numRuns: 50 },
  )
})

it('BP1 what was given back is taken again', () => {
  const pool = new BufferPool(MIB)
  const { buffer } = pool.take(5000)
  pool.give(new Uint8Array(buffer, 0, 5000))
  expect(pool.freeBytes).toBe(8192)
  expect(pool.take(6000).buffer).toBe(buffer)
  expect(pool.freeBytes).toBe(0)
})

it('BP2 the pool keeps no more than it was told', () => {
  const pool = new BufferPool(16 * 1024)
  const taken = Array.from({ length: 8 }, () => pool.take(4096))
  for (const buffer of taken) pool.give(buffer)
  expect(pool.freeBytes).toBe(16 * 1024)
})

it('BP3 gives up what is not needed, and its memory at once; what is needed again and again stays', () => {
  const pool = new BufferPool(64 * MIB)
  const taken = Array.from({ length: 16 }, () => pool.take(MIB))
  const busy = pool.take(MIB)
  for (const buffer of [...taken, busy]) pool.give(buffer)
  pool.trim() // what was taken before the first look was needed
  expect(pool.freeBytes).toBe(17 * MIB)
  for (let left = 0; left < 8; left += 1) {
    const buffer = pool.take(MIB)
    pool.trim()
    pool.give(buffer)
  }
  expect(pool.freeBytes).toBe(MIB)
  expect(taken.filter(({ buffer }) => buffer.byteLength > 0).length).toBeLessThanOrEqual(1)
  expect(pool.take(MIB).length).toBe(MIB)
})
