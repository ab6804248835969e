import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { epoch, generation, memberId, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import type { StoreWrite } from '../store/record.ts'
import { Learner, type OwnRuns } from './learner.ts'

const volume = volumeId(1)

function write(offset: number, bytes: number, more: Partial<StoreWrite> = {}): StoreWrite {
  return {
    ...{ volume, slice: sliceId(0), offset, bytes, session: sessionId(1), gen: generation(1) },
    ...{ number: 1, acknowledged: 0, epoch: epoch(2), seq: 1, data: null, edges: null, ...more },
  }
}

function learner(runs: OwnRuns = (_, bytes) => [bytes]): Learner {
  return new Learner(memberId('b'), new SimClock(new Timeline()), runs)
}

it('R8 writes of pages that are equal go along; one that touches another makes all of its pages unequal', () => {
  const one = learner()
  one.found({ volume, page: 0 })
  one.found({ volume, page: 1 })
  expect(one.isEqual(write(0, BLOCK_BYTES))).toBe(true)
  expect(one.isEqual(write(0, 2 * PAGE_BYTES))).toBe(true)
  expect(one.isEqual(write(PAGE_BYTES, 2 * PAGE_BYTES))).toBe(false)
  expect(one.isEqual(write(PAGE_BYTES, BLOCK_BYTES))).toBe(false)
  expect(one.isEqual(write(0, BLOCK_BYTES))).toBe(true)
  expect(one.left).toBe(2)
  const page = one.next()
  expect(page).toEqual({ volume, page: 1 })
  if (page !== null) one.copied(page)
  expect(one.isEqual(write(PAGE_BYTES, BLOCK_BYTES))).toBe(true)
  expect(one.next()).toEqual({ volume, page: 2 })
  expect(one.next()).toBeNull()
})

it('R8 what was written after the listing was asked for is not equal, whatever was listed; edges count', () => {
  const one = learner()
  const head = new Uint8Array(BLOCK_BYTES)
  expect(one.isEqual(write(PAGE_BYTES, BLOCK_BYTES, { edges: { head, tail: null } }))).toBe(false)
  one.found({ volume, page: 0 })
  one.found({ volume, page: 1 })
  expect(one.isEqual(write(0, BLOCK_BYTES))).toBe(false)
  expect(one.left).toBe(2)
})

it('R8 a page that is written while it is copied is not equal', () => {
  const one = learner()
  one.unequal({ volume, page: 1 })
  const page = one.next()
  expect(one.isEqual(write(PAGE_BYTES, BLOCK_BYTES))).toBe(false)
  if (page !== null) one.copied(page)
  expect(one.isEqual(write(PAGE_BYTES, BLOCK_BYTES))).toBe(false)
  expect(one.next()).toEqual({ volume, page: 1 })
})

it('LN1 a write of very many pages ends the learning', () => {
  const one = learner()
  expect(one.isEqual(write(0, 2_000 * PAGE_BYTES))).toBe(false)
  expect(one.isOver).toBe(true)
  expect(one.left).toBe(0)
})

it('LN2 of an unmap over several runs only the pages of the slice are copied, and are to be equal', () => {
  const own: OwnRuns = (_, { from, to }) => [
    { from, to: RUN_BYTES },
    { from: 2 * RUN_BYTES, to },
  ]
  const one = learner(own)
  const unmap = write(RUN_BYTES - PAGE_BYTES, RUN_BYTES + 2 * PAGE_BYTES)
  expect(one.isEqual(unmap)).toBe(false)
  const left = [one.next(), one.next()]
  expect(left.map((place) => place?.page)).toEqual([15, 32])
  expect(one.left).toBe(0)
  for (const place of left) if (place !== null) one.copied(place)
  expect(one.isEqual(unmap)).toBe(true)
  expect(learner(own).isEqual(write(0, 2 ** 31))).toBe(false)
})
