// A change of the group record as plain data: the caller gives it to the coordinator as one transaction.
import { type Revision, revision } from '../base/ids.ts'
import { keys } from './record.ts'

export interface GroupChange {
  readonly compare: readonly { readonly key: string; readonly rev: Revision }[]
  readonly put: readonly { readonly key: string; readonly value: string }[]
  readonly remove: readonly string[]
}

/** The group's policy of distribution, whose form is not this room's: JSON. `rev`: of the policy as it was read. */
export function writePolicy(rev: Revision, value: string): GroupChange {
  return { compare: [{ key: keys.policy, rev }], put: [{ key: keys.policy, value }], remove: [] }
}

/**
 * Would write a key that nobody writes, if it were of a revision that it never has: the comparison always fails. Whether the
 * record can be changed at all is asked so, and nothing is.
 */
export const probeChange: GroupChange = {
  compare: [{ key: keys.probe, rev: revision(1) }],
  put: [{ key: keys.probe, value: '' }],
  remove: [],
}

/** A record as it was read. */
export interface Stored<T> {
  readonly key: string
  readonly rev: Revision
  readonly record: T
}

/** Keys that one transaction changes; the coordinator allows 100. */
const CHUNK = 90

/** For transactions that fit. */
export function chunks<T>(items: readonly T[]): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / CHUNK)
  return Array.from({ length: count }, (_, at) => items.slice(at * CHUNK, (at + 1) * CHUNK))
}
