import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pieceBytes, runBytes, sliceAt } from './lanes.ts'

const offsets = fc.integer({ min: 0, max: 2 ** 47 })

describe('lanes', () => {
  it('L1 pieces tile the extent, each inside one run', () => {
    fc.assert(
      fc.property(offsets, fc.integer({ min: 1, max: 5 * runBytes }), (offset, bytes) => {
        let at = 0
        while (at < bytes) {
          const length = pieceBytes(offset + at, bytes - at)
          expect(length).toBeGreaterThan(0)
          const first = Math.floor((offset + at) / runBytes)
          expect(Math.floor((offset + at + length - 1) / runBytes)).toBe(first)
          const ends = (offset + at + length) % runBytes === 0 || at + length === bytes
          expect(ends).toBe(true)
          at += length
        }
        expect(at).toBe(bytes)
      }),
    )
  })

  it('every byte of a run is on the lane that its number names', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1023), { minLength: 1, maxLength: 256 }),
        fc.integer({ min: 0, max: 2 ** 23 }),
        fc.integer({ min: 0, max: runBytes - 1 }),
        (lanes, run, within) => {
          expect(sliceAt(lanes, run * runBytes + within)).toBe(lanes[run % lanes.length])
        },
      ),
    )
  })
})
