// Which bytes of a volume are there: each primary is asked for its slices, and what they tell is put together. Bytes that
// nobody vouches for (a member is silent, or a slice is on its way to another one) are told as if they were there.
//
// Invariants:
//   AL1. What is told as absent was absent at its primary when it was asked: every write that was answered before the
//        question is seen.
//   AL2. A question reaches so far, and its answer has so many extents; the asker goes on from where the answer ends.

import type { SliceId } from '../base/ids.ts'
import { RUN_BYTES } from '../base/sizes.ts'
import type { VolumeRecord } from '../group/record.ts'
import type {
  Allocation,
  AllocationQuestion,
  Extent,
  SliceAllocation,
} from '../slice/allocation.ts'
import { laneOf } from '../slice/lanes.ts'

/** As long as other questions to members. */
export const allocationMs = 800

/** AL1 AL2 */
export function together(
  volume: VolumeRecord,
  { from, to, most }: Pick<AllocationQuestion, 'from' | 'to' | 'most'>,
  told: readonly SliceAllocation[],
): Allocation {
  const vouched = new Set(told.flatMap(({ slices }) => slices))
  const unknown = volume.lanes.some((slice) => !vouched.has(slice))
    ? runsOf(volume, (slice) => !vouched.has(slice), from, to)
    : []
  const end = Math.min(to, ...told.map(({ upTo }) => upTo))
  const all = [...told.flatMap(({ extents }) => extents), ...unknown].sort(([a], [b]) => a - b)
  const extents: [number, number][] = []
  for (const [start, stop] of all) {
    if (start >= end) break
    const before = extents.at(-1)
    if (before !== undefined && start <= before[1]) before[1] = Math.max(before[1], stop)
    else if (extents.length === most) return { upTo: start, extents }
    else extents.push([start, stop])
  }
  const last = extents.at(-1)
  if (last !== undefined) last[1] = Math.min(last[1], end)
  return { upTo: end, extents }
}

function runsOf(
  volume: VolumeRecord,
  isWanted: (slice: SliceId) => boolean,
  from: number,
  to: number,
): Extent[] {
  const runs: Extent[] = []
  for (let run = Math.floor(from / RUN_BYTES); run * RUN_BYTES < to; run += 1) {
    const slice = volume.lanes[laneOf(volume, run)]
    if (slice === undefined || !isWanted(slice)) continue
    runs.push([Math.max(from, run * RUN_BYTES), Math.min(to, (run + 1) * RUN_BYTES)])
  }
  return runs
}
