// What of a member's past is kept, byte by byte: two rings of records in one file, one of the last hour by seconds and one of
// the last 30 days by minutes. Pure. Numbers are little-endian.
//
//   0      128       magic, format, a checksum of the group and the member whose past it is
//   128    ring of seconds: 3,600 records of 64 bytes, then the ring of minutes: 43,200
//   record 0  u32     its second, or minute, since 1970, modulo 2^32; 0: there is none
//          4  f32 ×N  the figures, in the order of FIGURES; NaN: not known
//          60 u32     CRC32C of what stands before
//
// Invariants:
//   HR1. A record has its place by its time, so the file never grows beyond its two rings.
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
  readonly offset: number
}

export const RECORD_BYTES = 64
export const HEADER_BYTES = 128
const CRC_AT = RECORD_BYTES - 4
const MAGIC = 'EKPAST01'

export const SECONDS: Ring = { stepMs: 1_000, records: 3_600, offset: HEADER_BYTES }
export const MINUTES: Ring = {
  stepMs: 60_000,
  records: 30 * 24 * 60,
  offset: HEADER_BYTES + SECONDS.records * RECORD_BYTES,
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
  return ring.offset + (Math.floor(atMs / ring.stepMs) % ring.records) * RECORD_BYTES
}

export function packRecord(ring: Ring, atMs: number, figures: Figures): Uint8Array {
  const bytes = new Uint8Array(RECORD_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, Math.floor(atMs / ring.stepMs), true)
  for (const [at, name] of FIGURES.entries()) {
    view.setFloat32(4 + at * 4, figures[name] ?? Number.NaN, true)
  }
  view.setUint32(CRC_AT, crc32cOfHeader(bytes, 0, CRC_AT), true)
  return bytes
}

/** HR2. The figures of the record at `offset` in `bytes`; null: there is none of this time. */
export function unpackRecord(
  ring: Ring,
  atMs: number,
  bytes: Uint8Array,
  offset: number,
): Figures | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, RECORD_BYTES)
  if (view.getUint32(0, true) !== Math.floor(atMs / ring.stepMs) >>> 0) return null
  if (view.getUint32(CRC_AT, true) !== crc32cOfHeader(bytes, offset, offset + CRC_AT)) return null
  const entries = FIGURES.map((name, at) => {
    const value = view.getFloat32(4 + at * 4, true)
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
