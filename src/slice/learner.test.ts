import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { epoch, generation, memberId, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import type { StoreWrite } from '../store/record.ts'
import { Learner } from './learner.ts'

const volume = volumeId(1)

function write(offset: number, bytes: number, more: Partial<StoreWrite> = {}): StoreWrite {
  return {
    ...{ volume, slice: sliceId(0), offset, bytes, session: sessionId(1), gen: generation(1) },
    ...{ number: 1, acknowledged: 0, epoch: epoch(2), seq: 1, data: null, edges: null, ...more },
  }
}

function learner(): Learner {
  return new Learner(memberId('b'), new SimClock(new Timeline()))
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
