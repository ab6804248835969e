// The records of moves, for people: begun by the old member, amended by whoever knows more. A record that was removed
// meanwhile is not written again.
import type { GroupChange, Stored } from './change.ts'
import { keys, type MoveRecord } from './record.ts'

/** `surplus`: ids of older records that make room. */
export function beginMove(record: MoveRecord, surplus: readonly string[]): GroupChange {
  const put = [{ key: keys.move(record.id), value: JSON.stringify(record) }]
  return { compare: [], put, remove: surplus.map(keys.move) }
}

export function amendMove(
  { key, rev, record }: Stored<MoveRecord>,
  news: Partial<MoveRecord>,
): GroupChange {
  const put = [{ key, value: JSON.stringify({ ...record, ...news }) }]
  return { compare: [{ key, rev }], put, remove: [] }
}
