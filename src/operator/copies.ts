// What people are told of the copies of slices: the state of each, and how many are in which. Pure: from the record, and from
// who is down.
import type { SliceCounts, SliceState } from '../api/layout-schema.ts'
import type { MemberId } from '../base/ids.ts'
import type { SliceRecord } from '../group/record.ts'

export type IsDown = (member: MemberId) => boolean

const nobody: IsDown = () => false

/** With one copy wanted a slice is whole: that its member is down is told of the member. */
export function stateOf(slice: SliceRecord, isDown: IsDown = nobody): SliceState {
  if (tooFew(slice) || abandoned(slice, isDown)) return 'unavailable'
  const { inSync, want } = slice
  if (inSync.length >= want.length) return 'whole'
  return inSync.length === 1 ? 'lastCopy' : 'degraded'
}

/** Writes wait. */
export function tooFew({ inSync, min }: SliceRecord): boolean {
  return inSync.length < min
}

/** The primary is down, and so is whoever could take over. */
export function abandoned({ inSync, want }: SliceRecord, isDown: IsDown): boolean {
  return want.length > 1 && inSync.every(isDown)
}

export function sliceCountsOf(
  slices: readonly SliceRecord[],
  isDown: IsDown = nobody,
): SliceCounts {
  const counts = { whole: 0, degraded: 0, lastCopy: 0, unavailable: 0 }
  for (const slice of slices) counts[stateOf(slice, isDown)] += 1
  const copies = Math.max(0, ...slices.map(({ want }) => want.length))
  return { count: slices.length, copies, ...counts }
}
