// What of a member's past is kept, byte by byte: rings of records in one file, of figures the last hour by seconds and the last
// 30 days by minutes, of sessions (session-record.ts) more seldom. Pure. Numbers are little-endian.
//
//   0      128       magic, format, a checksum of the group and the member whose past it is
//   128    ring of seconds: 3,600 records of 64 bytes, then the ring of minutes: 43,200
//   then   rings of sessions: 720 records of 4 KiB, one each 5 s, and 4,320, one each 10 minutes
//   record 0  u32     which of its ring's steps since 1970 it is of, modulo 2^32; 0: there is none
//          4  f32 ×N  the figures, in the order of FIGURES; NaN: not known; or the text of its sessions
//          …  u32     at its end: CRC32C of what stands before
//
// Invariants:
//   HR1. A record has its place by its time, so the file never grows beyond its rings.
//   HR2. A record counts only at the time that stands in it, and only if it is whole: what an earlier round of the ring left
//        there, and what a power cut tore, is no record.

import { crc32cOfHeader } from '../base/crc32c.ts'
import { encodeText } from '../base/text.ts'

export const FIGURES = [
  'utilisation',
  'cpu',
  'memoryBytes',
  'iops',
  'bytesPerSecond',
  'latencyMs',
  'sessions',
  'usedBytes',
] as const

export type Figure = (typeof FIGURES)[number]
/** null: not known. */
export type Figures = Readonly<Record<Figure, number | null>>

export interface Ring {
  readonly stepMs: number
  readonly records: number
  readonly recordBytes: number
  readonly offset: number
}

export const HEADER_BYTES = 128
const FIGURES_BYTES = 64
const CRC_BYTES = 4
const MAGIC = 'EKPAST01'

export const SECONDS: Ring = {
  ...{ stepMs: 1_000, records: 3_600, recordBytes: FIGURES_BYTES },
  offset: HEADER_BYTES,
}
export const MINUTES: Ring = {
  ...{ stepMs: 60_000, records: 30 * 24 * 60, recordBytes: FIGURES_BYTES },
  offset: endOf(SECONDS),
}

export function endOf({ offset, records, recordBytes }: Ring): number {
  return offset + records * recordBytes
}

/** What the file begins with: whose past it is. */
export function headerOf(group: string, member: string): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  bytes.set(encodeText(MAGIC))
  const whose = encodeText(`${group} ${member}`)
  const view = new DataView(bytes.buffer)
  view.setUint32(8, crc32cOfHeader(whose, 0, whose.length), true)
  return bytes
}

/** HR1. Where the record of a time is in the file. */
export function placeOf(ring: Ring, atMs: number): number {
  return ring.offset + (stepOf(ring, atMs) % ring.records) * ring.recordBytes
}

export function stepOf({ stepMs }: Ring, atMs: number): number {
  return Math.floor(atMs / stepMs)
}

/** The bytes of a record between its time and its checksum. */
export const BODY_AT = 4
export function bodyBytes({ recordBytes }: Ring): number {
  return recordBytes - BODY_AT - CRC_BYTES
}

/** A record of a time, whose body `fill` writes. */
export function sealed(ring: Ring, atMs: number, fill: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(ring.recordBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, stepOf(ring, atMs), true)
  fill(bytes)
  const crcAt = ring.recordBytes - CRC_BYTES
  view.setUint32(crcAt, crc32cOfHeader(bytes, 0, crcAt), true)
  return bytes
}

/** HR2. */
export function isOf(ring: Ring, atMs: number, bytes: Uint8Array, offset: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, ring.recordBytes)
  const crcAt = ring.recordBytes - CRC_BYTES
  return (
    view.getUint32(0, true) === stepOf(ring, atMs) >>> 0 &&
    view.getUint32(crcAt, true) === crc32cOfHeader(bytes, offset, offset + crcAt)
  )
}

export function packRecord(ring: Ring, atMs: number, figures: Figures): Uint8Array {
  return sealed(ring, atMs, (bytes) => {
    const view = new DataView(bytes.buffer)
    for (const [at, name] of FIGURES.entries())
      view.setFloat32(BODY_AT + at * 4, figures[name] ?? Number.NaN, true)
  })
}

/** HR2. The figures of the record at `offset` in `bytes`; null: there is none of this time. */
export function unpackRecord(
  ring: Ring,
  atMs: number,
  bytes: Uint8Array,
  offset: number,
): Figures | null {
  if (!isOf(ring, atMs, bytes, offset)) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, ring.recordBytes)
  const entries = FIGURES.map((name, at) => {
    const value = view.getFloat32(BODY_AT + at * 4, true)
    return [name, Number.isNaN(value) ? null : value] as const
  })
  return Object.fromEntries(entries) as Record<Figure, number | null>
}

/** The mean of each figure over what is known of it. */
export class Mean {
  #records = 0
  readonly #sums = new Float64Array(FIGURES.length)
  readonly #counts = new Uint32Array(FIGURES.length)

  get isEmpty(): boolean {
    return this.#records === 0
  }

  add(figures: Figures): void {
    this.#records += 1
    for (const [at, name] of FIGURES.entries()) {
      const value = figures[name]
      if (value === null) continue
      this.#sums[at] = (this.#sums[at] ?? 0) + value
      this.#counts[at] = (this.#counts[at] ?? 0) + 1
    }
  }

  get figures(): Figures {
    const entries = FIGURES.map((name, at) => {
      const count = this.#counts[at] ?? 0
      return [name, count === 0 ? null : (this.#sums[at] ?? 0) / count] as const
    })
    return Object.fromEntries(entries) as Record<Figure, number | null>
  }
}
