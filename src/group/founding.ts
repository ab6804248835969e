// How a group begins, and how a member takes its place in it.
//
// Invariants:
//   G6. A group that exists is whole: every slice has a primary and all its copies, and its founders are primaries of equally
//       many and have equally many copies, give or take one.
//   G36. A drain begins only while another member is not drained, in one transaction with its record.
import { assert } from '../base/assert.ts'
import { epoch, type MemberId, NO_REVISION, type Revision, sliceId } from '../base/ids.ts'
import { COPIES_MAX } from '../base/sizes.ts'
import { equalBearers, layOut } from '../placement/layout.ts'
import { chunks, type GroupChange, type Stored } from './change.ts'
import { parseGroup } from './parse.ts'
import { type GroupRecord, keys, type MemberRecord, type SliceRecord } from './record.ts'

const SLICES_MAX = 16_384
export const DEFAULT_AUTHORITY = 'iqn.2026-11.dev.evenkeel'
/** Both names end up in iSCSI names, host names and file names. */
const NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/
/** RFC 7143 §4.2.7.3.1: a year and month, and a domain name in reverse. */
const AUTHORITY = /^iqn\.\d{4}-(0[1-9]|1[0-2])(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/

/** A sentence that says what is wrong with the wish, or null; the parts of it are below. */
export function refuseGroup(
  { name, slices, namingAuthority }: Pick<GroupRecord, 'name' | 'slices' | 'namingAuthority'>,
  founders: readonly MemberId[],
): string | null {
  return (
    refuseGroupName(name) ??
    refuseSlices(slices) ??
    refuseAuthority(namingAuthority) ??
    refuseFounders(founders, slices)
  )
}

export function refuseGroupName(name: string): string | null {
  return NAME.test(name) ? null : `'${name}' cannot name a group: ${NAME_RULE}.`
}

export function refuseSlices(slices: number): string | null {
  const isRight = Number.isInteger(slices) && slices >= 1 && slices <= SLICES_MAX
  return isRight ? null : `A group has 1 to ${SLICES_MAX} slices, not ${slices}.`
}

export function refuseAuthority(authority: string): string | null {
  return AUTHORITY.test(authority) && authority.length <= 128
    ? null
    : `'${authority}' is no naming authority: it looks like ${DEFAULT_AUTHORITY}.`
}

export function refuseFounders(founders: readonly MemberId[], slices: number): string | null {
  if (founders.length === 0) return 'A group is founded with at least one member.'
  if (new Set(founders).size !== founders.length) return 'A member can found a group only once.'
  if (founders.length > slices) {
    return `A group of ${founders.length} members needs at least as many slices, not ${slices}.`
  }
  return founders.map(refuseMemberId).find((refused) => refused !== null) ?? null
}

export function refuseMemberId(id: string): string | null {
  return NAME.test(id) ? null : `'${id}' cannot name a member: ${NAME_RULE}.`
}

const NAME_RULE =
  "use 1 to 32 lower-case letters, digits and '-', beginning and ending with a letter or digit"

/** How many copies a slice has. */
export function refuseCopies(copies: number, members: number): string | null {
  if (!Number.isInteger(copies) || copies < 1 || copies > COPIES_MAX)
    return `A group keeps 1 to ${COPIES_MAX} copies, not ${copies}.`
  return copies > members
    ? `${copies} copies need as many members, and there ${members === 1 ? 'is 1' : `are ${members}`}.`
    : null
}

export interface Copies {
  readonly copies: number
  /** The least number in sync with which writes go on. */
  readonly min: number
}

/**
 * The changes in order; the group itself comes last (G6). Whoever finds no group may begin anew: a slice is written only
 * while there is no group, and equal founders deal equally. All copies are in sync: a new member's folder holds nothing.
 */
export function foundGroup(
  group: GroupRecord,
  founders: readonly MemberId[],
  { copies, min }: Copies = { copies: 1, min: 1 },
): readonly GroupChange[] {
  const refused = refuseGroup(group, founders) ?? refuseCopies(copies, founders.length)
  assert(refused === null, refused ?? '')
  const compare = [{ key: keys.group, rev: NO_REVISION }]
  const inTurn = Array.from({ length: group.slices }, (_, slice) => {
    const primary = founders[slice % founders.length]
    assert(primary !== undefined, 'there is a founder')
    return [primary]
  })
  const slices = layOut(inTurn, equalBearers(founders), copies).map((members, slice) => {
    const [primary] = members
    assert(primary !== undefined, 'G6: every slice has a primary')
    const record: SliceRecord = { epoch: epoch(1), primary, inSync: members, want: members, min }
    return { key: keys.slice(sliceId(slice)), value: JSON.stringify(record) }
  })
  const changes = chunks(slices).map((put): GroupChange => ({ compare, put, remove: [] }))
  const put = [{ key: keys.group, value: JSON.stringify(group) }]
  return [...changes, { compare, put, remove: [] }]
}

/** The group as it is stored, or a sentence that says why this program must not touch it. */
export function readGroup(value: string): GroupRecord | string {
  return parseGroup(value)
}

export function writeMember(member: MemberRecord): GroupChange {
  return {
    compare: [],
    put: [{ key: keys.member(member.id), value: JSON.stringify(member) }],
    remove: [],
  }
}

/** A member starts: it joins, or comes back under a new boot. What an operator has set (draining) stays. */
export function startMember(
  stored: Stored<MemberRecord> | null,
  member: Omit<MemberRecord, 'draining'>,
): GroupChange {
  const { id, bootId, portal, peer, api } = member
  const draining = stored?.record.draining ?? false
  return compareMember(stored?.rev ?? NO_REVISION, { id, bootId, portal, peer, api, draining })
}

/**
 * G36: `witness` is another member that takes sessions, as it was read: two members that are drained at once are not each other's.
 * null: the drain ends.
 */
export function setDraining(
  stored: Stored<MemberRecord>,
  witness: Stored<MemberRecord> | null,
): GroupChange {
  const change = compareMember(stored.rev, { ...stored.record, draining: witness !== null })
  if (witness === null) return change
  assert(!witness.record.draining && witness.key !== stored.key, 'the witness takes sessions (G36)')
  return { ...change, compare: [...change.compare, { key: witness.key, rev: witness.rev }] }
}

function compareMember(rev: Revision, member: MemberRecord): GroupChange {
  return { ...writeMember(member), compare: [{ key: keys.member(member.id), rev }] }
}
