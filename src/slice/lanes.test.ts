import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sliceId, volumeId } from '../base/ids.ts'
import { RUN_BYTES } from '../base/sizes.ts'
import { laneOf, pagesOn, pieceBytes, sliceAt } from './lanes.ts'

const GIB = 1024 ** 3
const TIB = 1024 ** 4
const offsets = fc.integer({ min: 0, max: 2 ** 47 })
const volumes = fc.integer({ min: 1, max: 5_000 })

function volumeOf(id: number, lanes: number) {
  return { id: volumeId(id), lanes: Array.from({ length: lanes }, (_, lane) => sliceId(lane)) }
}

/** The largest part of the runs that one lane, or one member of `members` in turn, has. */
function largestShare(lanes: readonly number[], places: number): number {
  const counts = new Float64Array(places)
  for (const lane of lanes) counts[lane % places] = (counts[lane % places] ?? 0) + 1
  return Math.max(...counts) / lanes.length
}

describe('lanes', () => {
  it('L1 pieces tile the extent, each inside one run', () => {
    fc.assert(
      fc.property(offsets, fc.integer({ min: 1, max: 5 * RUN_BYTES }), (offset, bytes) => {
        let at = 0
        while (at < bytes) {
          const length = pieceBytes(offset + at, bytes - at)
          expect(length).toBeGreaterThan(0)
          const first = Math.floor((offset + at) / RUN_BYTES)
          expect(Math.floor((offset + at + length - 1) / RUN_BYTES)).toBe(first)
          const ends = (offset + at + length) % RUN_BYTES === 0 || at + length === bytes
          expect(ends).toBe(true)
          at += length
        }
        expect(at).toBe(bytes)
      }),
    )
  })

  it('every byte of a run is on the slice of its lane', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1023).map(sliceId), { minLength: 1, maxLength: 256 }),
        volumes,
        fc.integer({ min: 0, max: 2 ** 23 }),
        fc.integer({ min: 0, max: RUN_BYTES - 1 }),
        (lanes, id, run, within) => {
          const volume = { id: volumeId(id), lanes }
          expect(sliceAt(volume, run * RUN_BYTES + within)).toBe(lanes[laneOf(volume, run)])
        },
      ),
    )
  })

  it('L2 a row is on all lanes, and neighbours are never on one', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 256 }),
        volumes,
        fc.integer({ min: 0, max: 2 ** 16 }),
        (count, id, row) => {
          const volume = volumeOf(id, count)
          const lanes = Array.from({ length: count }, (_, i) => laneOf(volume, row * count + i))
          expect([...lanes].sort((a, b) => a - b)).toEqual(volume.lanes)
          lanes.forEach((lane, i) => {
            if (i > 0) expect(lane).toBe(((lanes[i - 1] ?? 0) + 1) % count)
          })
          if (count >= 3) expect(laneOf(volume, (row + 1) * count)).not.toBe(lanes.at(-1))
        },
      ),
    )
  })

  it('L3 of a thousand runs at any stride, no lane of 18 has more than an eighth, and no member of 3 more than two fifths', () => {
    const runs = 1024
    fc.assert(
      fc.property(
        volumes,
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 0, max: 17 }),
        fc.integer({ min: 0, max: 100_000 }),
        (id, rows, more, first) => {
          // Whole rows are the worst case; any other stride goes through the lanes by itself as well.
          const volume = volumeOf(id, 18)
          for (const stride of [18 * rows, 18 * rows + more]) {
            const lanes = Array.from({ length: runs }, (_, i) => laneOf(volume, first + i * stride))
            expect(largestShare(lanes, 18)).toBeLessThan(1 / 8)
            expect(largestShare(lanes, 3)).toBeLessThan(2 / 5)
          }
        },
      ),
      { numRuns: 500, seed: 1 },
    )
  })

  it('L3 what mkfs.ext4 writes to 17 TiB is spread: block groups in sixteens, their tables every 2 GiB, backups at powers of 3, 5 and 7', () => {
    const volume = volumeOf(1, 18)
    const group = GIB / 8
    const lanes: number[] = []
    const touch = (offset: number) => lanes.push(laneOf(volume, Math.floor(offset / RUN_BYTES)))
    for (let at = 0; at < 17 * TIB; at += 16 * group) touch(at)
    for (const base of [3, 5, 7]) {
      for (let number = base; number * group < 17 * TIB; number *= base) touch(number * group)
    }
    expect(lanes.length).toBeGreaterThan(8_704)
    expect(largestShare(lanes, 18)).toBeLessThan(0.07)
    expect(largestShare(lanes, 3)).toBeLessThan(0.36)
    // As it was: one member had nearly all.
    const before = lanes.map((_, i) => (i * 128) % 16)
    expect(largestShare(before.slice(0, 8_704), 3)).toBe(1)
  })

  it('counts the pages of a volume that lie on some slices, as laneOf has them', () => {
    const pageBytes = RUN_BYTES / 16
    fc.assert(
      fc.property(
        volumes,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 3_000 }),
        (id, lanes, pages) => {
          const volume = { ...volumeOf(id, lanes), bytes: pages * pageBytes - 512 }
          const counts = new Array<number>(lanes).fill(0)
          for (let page = 0; page < pages; page += 1) {
            const slice = sliceAt(volume, page * pageBytes)
            counts[slice] = (counts[slice] ?? 0) + 1
          }
          for (const [slice, count] of counts.entries()) {
            expect(pagesOn(volume, (one) => one === slice)).toBe(count)
          }
        },
      ),
      { numRuns: 100, seed: 1 },
    )
  })
})
