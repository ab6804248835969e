// Which slice holds which byte of a volume. A volume is striped over its lanes by runs of 16 pages; as many runs as there
// are lanes make a row. In each row the runs are on the lanes in turn, beginning at a lane that is drawn from a hash of
// the volume and the row. A lane names a slice. A piece is the part of an extent that lies in one run: it has one slice,
// one primary.
//
//   16 lanes, row 0 begins at 5:   run 0 is on lane 5, run 1 on lane 6 … run 15 on lane 4
//             row 1 begins at 11:  run 16 is on lane 11, run 17 on lane 12 …
//
// Invariants:
//   L1. The pieces of an extent tile it: in order, without a gap, none empty, none across a run.
//   L2. The runs of a row are on all lanes, once each. So neighbours are on different lanes, which have primaries on
//       different members (G8 of group/volumes.ts); with three lanes or more also where one row ends and the next begins.
//   L3. Every regular stride is spread over the lanes: file systems have strides, and none of them meets one member.
import { assert } from '../base/assert.ts'
import type { SliceId, VolumeId } from '../base/ids.ts'
import { PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import type { VolumeRecord } from '../group/record.ts'
import { PAGES_PER_RUN } from '../store/layout.ts'

export type Striped = Pick<VolumeRecord, 'id' | 'lanes'>

/** The slice of the byte at `offset`. */
export function sliceAt(volume: Striped, offset: number): SliceId {
  const slice = volume.lanes[laneOf(volume, Math.floor(offset / RUN_BYTES))]
  assert(slice !== undefined, 'a volume has lanes and offsets are not negative')
  return slice
}

export function laneOf({ id, lanes }: Striped, run: number): number {
  const count = lanes.length
  const row = Math.floor(run / count)
  return (run - row * count + firstLane(id, row, count)) % count
}

/** How many pages of the volume lie on these slices. */
export function pagesOn(
  { id, lanes, bytes }: Striped & { readonly bytes: number },
  isOne: (slice: SliceId) => boolean,
): number {
  const pages = Math.ceil(bytes / PAGE_BYTES)
  const rows = Math.floor(pages / (lanes.length * PAGES_PER_RUN))
  let held = rows * PAGES_PER_RUN * lanes.filter(isOne).length
  for (let run = rows * lanes.length; run * PAGES_PER_RUN < pages; run += 1) {
    const slice = lanes[laneOf({ id, lanes }, run)]
    if (slice === undefined || !isOne(slice)) continue
    held += Math.min(PAGES_PER_RUN, pages - run * PAGES_PER_RUN)
  }
  return held
}

export interface Bytes {
  readonly from: number
  readonly to: number
}

/** Of the bytes [from, to) those in runs of this slice. */
export function ownRuns(volume: Striped, slice: SliceId, { from, to }: Bytes): readonly Bytes[] {
  const runs: Bytes[] = []
  for (let at = from; at < to; ) {
    const end = at + pieceBytes(at, to - at)
    if (sliceAt(volume, at) === slice) runs.push({ from: at, to: end })
    at = end
  }
  return runs
}

/** Length of the first piece of the extent: all of it if it lies in one run. */
export function pieceBytes(offset: number, bytes: number): number {
  const left = RUN_BYTES - (offset % RUN_BYTES)
  return Math.min(bytes, left)
}

/** The lane of the row's first run. Even rows draw freely; an odd one passes over the two lanes that would put its first run beside the last one of the row before, or its last beside the first one of the row after. */
function firstLane(volume: VolumeId, row: number, count: number): number {
  const drawn = hash(volume, row) % count
  if (row % 2 === 0 || count < 3) return drawn
  const lastBefore = (hash(volume, row - 1) + count - 1) % count
  const behindNext = (hash(volume, row + 1) + 1) % count
  let lane = drawn
  while (lane === lastBefore || lane === behindNext) lane = (lane + 1) % count
  return lane
}

/** 32 bits: the steps of MurmurHash3 over two numbers. The bytes on disk lie where it says, so it never changes. */
function hash(volume: VolumeId, row: number): number {
  let bits = step(step(0x9e3779b9, volume), row)
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

function step(bits: number, word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51)
  const next = bits ^ Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
  return Math.imul((next << 13) | (next >>> 19), 5) + 0xe6546b64
}
