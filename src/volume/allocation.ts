// Which bytes of a volume are there: each primary is asked for its slices, and what they tell is put together. Bytes that
// nobody vouches for (a member is silent, or a slice is on its way to another one) are told as if they were there.
//
// Invariants:
//   AL1. What is told as absent was absent at its primary when it was asked: every write that was answered before the
//        question is seen.
//   AL2. A question reaches so far, and its answer has so many extents; the asker goes on from where the answer ends.
import { ProtocolError } from '../base/protocol-error.ts'
import type { SliceId, VolumeId, VolumeRecord } from '../group/record.ts'
import { Body } from '../peer/controls.ts'
import type { Json } from '../peer/message.ts'
import { laneOf, runBytes } from './lanes.ts'

/** As long as other questions to members. */
export const allocationMs = 800
/** AL2: whatever another member asks for. */
const EXTENTS_MOST = 4096

export interface AllocationQuestion {
  readonly volume: VolumeId
  readonly slices: readonly SliceId[]
  /** Bytes [from, to). */
  readonly from: number
  readonly to: number
  readonly most: number
}

type Extent = readonly [from: number, to: number]

export interface Allocation {
  /** Nothing is said about what is behind it. */
  readonly upTo: number
  /** Bytes that are there, or may be: in order, apart from each other. */
  readonly extents: readonly Extent[]
}

/** What one primary tells: of these slices only. */
export interface SliceAllocation extends Allocation {
  readonly slices: readonly SliceId[]
}

export function encodeQuestion({ volume, slices, from, to, most }: AllocationQuestion): Json {
  return { volume, slices: [...slices], from, to, most }
}

/** Throws a ProtocolError for what is malformed. */
export function readQuestion(json: Json): AllocationQuestion {
  const body = new Body(json)
  return {
    volume: body.whole('volume'),
    slices: wholes(body, 'slices'),
    from: body.whole('from'),
    to: body.whole('to'),
    most: Math.min(EXTENTS_MOST, body.whole('most')),
  }
}

export function encodeAllocation({ slices, upTo, extents }: SliceAllocation): Json {
  return { slices: [...slices], upTo, extents: extents.flat() }
}

/** Null if the member said nothing, or nothing that can be used. */
export function readAllocation(json: Json | null): SliceAllocation | null {
  if (json === null) return null
  try {
    const body = new Body(json)
    const ends = wholes(body, 'extents')
    const extents: Extent[] = []
    for (let i = 0; i + 1 < ends.length; i += 2) extents.push([ends[i] ?? 0, ends[i + 1] ?? 0])
    return { slices: wholes(body, 'slices'), upTo: body.whole('upTo'), extents }
  } catch (error) {
    if (error instanceof ProtocolError) return null
    throw error
  }
}

function wholes(body: Body, name: string): number[] {
  return body.list(name).map((value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
    throw new ProtocolError(`${name} that are no whole numbers`, 'volume/allocation.ts')
  })
}

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
  for (let run = Math.floor(from / runBytes); run * runBytes < to; run += 1) {
    if (!isWanted(volume.lanes[laneOf(volume, run)] ?? -1)) continue
    runs.push([Math.max(from, run * runBytes), Math.min(to, (run + 1) * runBytes)])
  }
  return runs
}
