// One operation on a volume, as it goes from the gateway of a session to the primary of its slice and into the store.
// Everything on that way extends this shape, with what it carries beside it: a field is added here, and in the bytes of the
// wire (frames.ts) and of the journal (store/record.ts).
//
// Invariants:
//   O1. What is copied of an operation is all of it.
import {
  type Epoch,
  type Generation,
  generation,
  type SessionId,
  type SliceId,
  sessionId,
  sliceId,
  type VolumeId,
  volumeId,
} from '../base/ids.ts'

export interface Operation {
  readonly volume: VolumeId
  readonly slice: SliceId
  /** Bytes [offset, offset + bytes): in one run, which is on `slice`; an unmap takes what `slice` has of a longer extent. */
  readonly offset: number
  readonly bytes: number
  /** Who asks: a generation of a session. */
  readonly session: SessionId
  readonly gen: Generation
  /** Of a mutation: which one of (session, gen, slice) it is, from 1; it stays the same wherever it is sent. 0: a read. */
  readonly number: number
  /** The gateway has the outcomes of all mutations up to this one. */
  readonly acknowledged: number
}

/** An operation with its place in the order of its slice. */
export interface Ordered extends Operation {
  readonly epoch: Epoch
  /** Counts the mutations of the slice that were handed to the store (V10 of slice/primary.ts). */
  readonly seq: number
}

/** A write, an unmap, or a COMPARE AND WRITE. What it carries must not change before its outcome. */
export interface Mutation extends Operation {
  /** Which one of its slice's epoch it is, from the primary that took it; 0 until something of it is written, and when it was carried out before a restart. */
  seq: number
  /** null: unmap. */
  readonly data: Uint8Array | null
  /** Of a write, one for each block that it touches, of its bytes in it (F3 of frames.ts); null: they are made where they are needed. */
  readonly checksums: Uint32Array | null
  /** COMPARE AND WRITE: nothing is written unless the extent holds these bytes. */
  readonly verify: Uint8Array | null
}

/** Whole blocks of which an unmap takes a part only, as they are afterwards: the one before its range, and the one behind it. */
export interface UnmapEdges {
  readonly head: Uint8Array | null
  readonly tail: Uint8Array | null
}

/** Who asks. */
export type Origin = Pick<Operation, 'session' | 'gen'>

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export const noOperation: Operation = {
  volume: volumeId(0),
  slice: sliceId(0),
  offset: 0,
  bytes: 0,
  session: sessionId(0),
  gen: generation(0),
  number: 0,
  acknowledged: 0,
}

/** O1. */
export function copyOperation(from: Operation, into: Mutable<Operation>): void {
  into.volume = from.volume
  into.slice = from.slice
  into.offset = from.offset
  into.bytes = from.bytes
  into.session = from.session
  into.gen = from.gen
  into.number = from.number
  into.acknowledged = from.acknowledged
}
