import { expect, test } from 'vitest'
import { epoch, memberId } from '../base/ids.ts'
import type { SliceRecord } from '../group/record.ts'
import { SliceChanges } from './slice-changes.ts'

const [m1, m2, m3] = [memberId('m1'), memberId('m2'), memberId('m3')]
const slice = (primary: typeof m1, ...inSync: (typeof m1)[]): SliceRecord => ({
  ...{ primary, epoch: epoch(1), inSync, want: [m1, m2], min: 1 },
})

test('what a slice has become is counted by its primary, and what is there at first is no news', () => {
  const changes = new SliceChanges(m1)
  const look = (...slices: SliceRecord[]) => {
    changes.look(slices)
    const { takenOver, handedOver, left, joined } = changes.counts
    return [takenOver, handedOver, left, joined]
  }
  expect(look(slice(m2, m1, m2), slice(m2, m2))).toEqual([0, 0, 0, 0])
  const own = slice(m1, m1)
  expect(look(own, slice(m2, m2))).toEqual([1, 0, 1, 0])
  expect(look(own, slice(m2, m2, m1))).toEqual([1, 0, 1, 0])
  expect(look(slice(m1, m1, m2), slice(m1, m2, m1))).toEqual([1, 1, 1, 1])
  expect(look(slice(m3, m3), slice(m2, m2))).toEqual([1, 1, 1, 1])
})
