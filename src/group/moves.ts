// The records of moves, for people: begun by the old member, amended by whoever knows more. A record that was removed
// meanwhile is not written again.
//
// Invariants:
//   G27. The record of a move is written together with the move's intent in its session's record: there is never one
//        without the other.
import type { GroupChange, Stored } from './change.ts'
import { keys, type MoveRecord } from './record.ts'
import { noteIntent, type StoredSession } from './sessions.ts'

/** G27. `surplus`: ids of older records that make room. */
export function beginMove(
  stored: StoredSession,
  record: MoveRecord,
  surplus: readonly string[],
): GroupChange {
  const { id, to } = record
  const intent = noteIntent(stored, { id, to })
  return {
    ...intent,
    put: [...intent.put, { key: keys.move(id), value: JSON.stringify(record) }],
    remove: surplus.map(keys.move),
  }
}

export function amendMove(
  { key, rev, record }: Stored<MoveRecord>,
  news: Partial<MoveRecord>,
): GroupChange {
  const put = [{ key, value: JSON.stringify({ ...record, ...news }) }]
  return { compare: [{ key, rev }], put, remove: [] }
}
