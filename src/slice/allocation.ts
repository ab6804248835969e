// The question for what a primary has of a volume, and its answer, as they travel between members (volume/allocation.ts).
import { type SliceId, sliceId, type VolumeId, volumeId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { Body } from '../peer/controls.ts'
import type { Json } from '../peer/message.ts'

/** Whatever another member asks for. */
const EXTENTS_MOST = 4096

export interface AllocationQuestion {
  readonly volume: VolumeId
  readonly slices: readonly SliceId[]
  /** Bytes [from, to). */
  readonly from: number
  readonly to: number
  readonly most: number
}

export type Extent = readonly [from: number, to: number]

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
    volume: volumeId(body.whole('volume')),
    slices: wholes(body, 'slices').map(sliceId),
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
    return { slices: wholes(body, 'slices').map(sliceId), upTo: body.whole('upTo'), extents }
  } catch (error) {
    if (error instanceof ProtocolError) return null
    throw error
  }
}

function wholes(body: Body, name: string): number[] {
  return body.list(name).map((value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
    throw new ProtocolError(`${name} that are no whole numbers`, 'slice/allocation.ts')
  })
}
