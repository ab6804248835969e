// Which slice holds which byte of a volume. A volume is striped over its lanes by runs of 16 pages: run r is on lane r
// mod V, and a lane names a slice. A piece is the part of an extent that lies in one run: it has one slice, one
// primary.
//
// Invariants:
//   L1. The pieces of an extent tile it: in order, without a gap, none empty, none across a run.
import { assert } from '../base/assert.ts'
import type { SliceId } from '../group/record.ts'

export const runBytes = 16 * 1024 * 1024

/** The slice of the byte at `offset`. */
export function sliceAt(lanes: readonly SliceId[], offset: number): SliceId {
  const slice = lanes[Math.floor(offset / runBytes) % lanes.length]
  assert(slice !== undefined, 'a volume has lanes and offsets are not negative')
  return slice
}

/** Length of the first piece of the extent: all of it if it lies in one run. */
export function pieceBytes(offset: number, bytes: number): number {
  const left = runBytes - (offset % runBytes)
  return Math.min(bytes, left)
}
