// Which sessions a member had, as it is kept of its past: rings of their own in the file of history-record.ts. Pure.
//
// Invariants:
//   SR1. A record has room for some fifty sessions: the heaviest are in it, and the others are counted.
import type { PastSession, PastSessions } from '../api/history-schema.ts'
import { decodeText, encodeText } from '../base/text.ts'
import { BODY_AT, bodyBytes, endOf, isOf, MINUTES, type Ring, sealed } from './history-record.ts'

type Row = [id: string, initiator: string, volume: string, load: number | null]

const RECORD_BYTES = 4_096
/** No row is shorter. */
const ROW_LEAST = '["1","i","v",0],'.length
const DIGITS = 3

export const OFTEN: Ring = {
  ...{ stepMs: 5_000, records: 720, recordBytes: RECORD_BYTES },
  offset: endOf(MINUTES),
}
export const SELDOM: Ring = {
  ...{ stepMs: 600_000, records: 30 * 24 * 6, recordBytes: RECORD_BYTES },
  offset: endOf(OFTEN),
}

/** SR1. Text: how many there are besides, then a row of each. */
export function packSessions(ring: Ring, atMs: number, all: readonly PastSession[]): Uint8Array {
  const room = bodyBytes(ring)
  const rows: string[] = []
  let bytes = `[${all.length}]`.length
  for (const { id, initiator, volume, load } of heaviest(all, room / ROW_LEAST)) {
    const shortly = load === null ? null : Number(load.toPrecision(DIGITS))
    const row: Row = [id, initiator, volume, shortly]
    const text = JSON.stringify(row)
    bytes += encodeText(text).length + 1
    if (bytes > room) break
    rows.push(text)
  }
  const text = encodeText(`[${[String(all.length - rows.length), ...rows].join()}]`)
  return sealed(ring, atMs, (record) => record.set(text, BODY_AT))
}

function heaviest(all: readonly PastSession[], most: number): readonly PastSession[] {
  return all.toSorted((a, b) => (b.load ?? 0) - (a.load ?? 0)).slice(0, most)
}

/** null: there is no record of this time. */
export function unpackSessions(ring: Ring, atMs: number, bytes: Uint8Array): PastSessions | null {
  if (!isOf(ring, atMs, bytes, 0)) return null
  const body = bytes.subarray(BODY_AT, BODY_AT + bodyBytes(ring))
  const end = body.indexOf(0)
  const text = decodeText(end < 0 ? body : body.subarray(0, end))
  const [others, ...rows] = JSON.parse(text) as [number, ...Row[]]
  return {
    sessions: rows.map(([id, initiator, volume, load]) => ({ id, initiator, volume, load })),
    others,
  }
}
