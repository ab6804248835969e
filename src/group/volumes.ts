// Volumes: creation, change and deletion as transactions, with the reasons why not.
//
// Invariants:
//   G7. A name is taken once: its key is created with the volume and removed with it. An id is never used again, so that
//       pages that a member still has of a deleted volume are never another's.
//   G8. Consecutive lanes of a new volume have primaries on different members, in turn, so even a small one is
//       partitioned over all of them. No slice has two lanes of one volume; volumes begin at different members and slices.
//   G19. A volume only grows, and what lay in it lies where it lay: id, target name, block size and lanes never change. So a
//       member that has not heard of a growth yet refuses what lies beyond the old end in sessions of its own and nothing
//       else: primaries take whatever offset a gateway sends them.
//   G18. A new name takes the place of the old one in one transaction: at any moment exactly one name is taken.

import { assert } from '../base/assert.ts'
import {
  type MemberId,
  NO_REVISION,
  type Revision,
  type SliceId,
  sliceId,
  type VolumeId,
  volumeId,
} from '../base/ids.ts'
import {
  BLOCK_BYTES,
  LOGICAL_BLOCKS,
  type LogicalBlockBytes,
  VOLUME_BYTES_MAX,
  VOLUME_BYTES_MIN,
} from '../base/sizes.ts'
import type { GroupChange } from './change.ts'
import { type GroupRecord, keys, type SliceRecord, type VolumeRecord } from './record.ts'

/** Unless the wish says otherwise, a volume has so many lanes, or a few more: as many for each member. */
const LANES_LEAST = 16
export const LANES_MAX = 256
export const VOLUME_NAME = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/
export const VOLUME_NAME_RULE =
  "1 to 63 lower-case letters, digits, '.' and '-', beginning and ending with a letter or digit"

export interface VolumeWish {
  readonly name: string
  readonly bytes: number
  readonly blockBytes: LogicalBlockBytes
  readonly shared: boolean
  /** Unless given, the least multiple of the members from 16 on, or as many as the group has slices. */
  readonly lanes?: number
}

/** A sentence that says what is wrong with the wish, or null. `slices`: how many the group has. */
export function refuseVolume(wish: VolumeWish, slices: number = LANES_MAX): string | null {
  const { name, bytes, blockBytes, lanes = 1 } = wish
  const wrongName = refuseName(name)
  if (wrongName !== null) return wrongName
  const wrongSize = refuseSize(bytes)
  if (wrongSize !== null) return wrongSize
  if (!LOGICAL_BLOCKS.includes(blockBytes))
    return `a logical block has ${LOGICAL_BLOCKS.join(' or ')} bytes`
  if (!Number.isInteger(lanes) || lanes < 1 || lanes > LANES_MAX) {
    return `a volume has 1 to ${LANES_MAX} lanes, not ${lanes}`
  }
  return lanes > slices
    ? `a volume has at most as many lanes as its group has slices: ${slices}, not ${lanes}`
    : null
}

function refuseName(name: string): string | null {
  return VOLUME_NAME.test(name) ? null : `'${name}' cannot name a volume: use ${VOLUME_NAME_RULE}`
}

function refuseSize(bytes: number): string | null {
  if (!Number.isSafeInteger(bytes) || bytes < VOLUME_BYTES_MIN || bytes > VOLUME_BYTES_MAX) {
    return `a volume has 1 MiB to 256 TiB, not ${bytes} bytes`
  }
  return bytes % BLOCK_BYTES === 0
    ? null
    : `the size of a volume is a multiple of ${BLOCK_BYTES} bytes; ${bytes} is none`
}

/** What is to be different; what is not named stays. */
export interface VolumeChange {
  readonly name?: string | undefined
  readonly bytes?: number | undefined
}

/** A sentence that says what is wrong with the wish, whatever volume it is for, or null. */
export function refuseChange({ name, bytes }: VolumeChange): string | null {
  if (name === undefined && bytes === undefined) {
    return 'say what is to change: the name, the size in bytes, or both'
  }
  const wrongName = name === undefined ? null : refuseName(name)
  return wrongName !== null || bytes === undefined ? wrongName : refuseSize(bytes)
}

/** G19. Its end may hold what initiators wrote. */
export function wouldShrink(volume: VolumeRecord, { bytes = volume.bytes }: VolumeChange): boolean {
  return bytes < volume.bytes
}

/** For a change that is not refused, to the volume as it was read. Lost: it changed meanwhile, or the name was taken. */
export function changeVolume(
  volume: VolumeRecord,
  rev: Revision,
  wish: VolumeChange,
): { readonly record: VolumeRecord; readonly change: GroupChange } {
  const refused = refuseChange(wish)
  assert(refused === null, refused ?? '')
  assert(!wouldShrink(volume, wish), 'G19 a volume only grows')
  const { name = volume.name, bytes = volume.bytes } = wish
  const grows = bytes > volume.bytes
  const record = { ...volume, name, bytes, view: volume.view + (grows ? 1 : 0) }
  const own = { key: keys.volume(volume.id), rev }
  const put = { key: keys.volume(volume.id), value: JSON.stringify(record) }
  if (name === volume.name) return { record, change: { compare: [own], put: [put], remove: [] } }
  const change = {
    compare: [own, { key: keys.volumeName(name), rev: NO_REVISION }],
    put: [put, { key: keys.volumeName(name), value: String(volume.id) }],
    remove: [keys.volumeName(volume.name)],
  }
  return { record, change }
}

export interface CreateVolume {
  readonly group: GroupRecord
  /** Above every id ever given: that of `volumeCounterKey` + 1. */
  readonly id: VolumeId
  readonly wish: VolumeWish
  readonly slices: readonly SliceRecord[]
  /** The revision of the counter key as read, 0 if there is none. */
  readonly counterRev: Revision
  /** ISO time, for people. */
  readonly at: string
}

/** Holds the last id that was given to a volume. */
export const volumeCounterKey = 'counter/volume'

/** The last id that was given; 0: none. `items` are the record's, or those of the counter alone. */
export function lastVolumeIn(
  items: readonly { readonly key: string; readonly value: string }[],
): VolumeId {
  return volumeId(Number(items.find(({ key }) => key === volumeCounterKey)?.value ?? 0))
}

/** For a wish that is not refused. Lost: the name or the id was taken meanwhile; read again. */
export function createVolume(create: CreateVolume): {
  readonly record: VolumeRecord
  readonly change: GroupChange
} {
  const { group, id, wish, slices, counterRev, at } = create
  const refused = refuseVolume(wish, group.slices)
  assert(refused === null, refused ?? '')
  assert(slices.length === group.slices, 'a group that exists is whole (G6)')
  const record: VolumeRecord = {
    id,
    name: wish.name,
    iqn: `${group.namingAuthority}:${group.name}-${id}`,
    bytes: wish.bytes,
    blockBytes: wish.blockBytes,
    shared: wish.shared,
    lanes: dealLanes(slices, wish.lanes ?? usualLanes(slices), id),
    view: 1,
    createdAt: at,
  }
  const change = {
    compare: [
      { key: keys.volumeName(wish.name), rev: NO_REVISION },
      { key: keys.volume(id), rev: NO_REVISION },
      { key: volumeCounterKey, rev: counterRev },
    ],
    put: [
      { key: keys.volume(id), value: JSON.stringify(record) },
      { key: keys.volumeName(wish.name), value: String(id) },
      { key: volumeCounterKey, value: String(id) },
    ],
    remove: [],
  }
  return { record, change }
}

/** A multiple of the members: then each has as many lanes, and the last lane has another member than the first one, which follows it in most rows (slice/lanes.ts). */
function usualLanes(slices: readonly SliceRecord[]): number {
  const members = new Set(slices.map(({ primary }) => primary)).size
  const lanes = Math.ceil(LANES_LEAST / members) * members
  return Math.min(lanes, slices.length, LANES_MAX)
}

/** G8: round the members, each time to the next of a member's slices; one whose slices are used up is passed over. */
export function dealLanes(
  slices: readonly SliceRecord[],
  lanes: number,
  volume: VolumeId,
): readonly SliceId[] {
  assert(lanes <= slices.length, 'a volume has a slice for every lane')
  const hands = new Map<MemberId, SliceId[]>()
  slices.forEach(({ primary }, index) => {
    const slice = sliceId(index)
    const hand = hands.get(primary)
    if (hand === undefined) hands.set(primary, [slice])
    else hand.push(slice)
  })
  const members = [...hands.keys()].sort()
  const rounds = Math.ceil(lanes / members.length)
  const dealt: SliceId[] = []
  for (let at = 0; dealt.length < lanes; at += 1) {
    const member = members[(at + volume - 1) % members.length]
    const hand = (member === undefined ? undefined : hands.get(member)) ?? []
    const round = Math.floor(at / members.length)
    const slice = hand[((volume - 1) * rounds + round) % hand.length]
    if (round < hand.length && slice !== undefined) dealt.push(slice)
  }
  return dealt
}

/** Changes nothing: done only if there is no such volume, lost if there is. */
export function volumeIsAbsent(id: VolumeId): GroupChange {
  return { compare: [{ key: keys.volume(id), rev: NO_REVISION }], put: [], remove: [] }
}

/**
 * The caller has seen that no session of the volume lives. One that begins at this very moment finds the volume gone: its
 * commands fail and its record is closed with its connection.
 */
export function deleteVolume(volume: VolumeRecord, rev: Revision): GroupChange {
  return {
    compare: [{ key: keys.volume(volume.id), rev }],
    put: [],
    remove: [keys.volume(volume.id), keys.volumeName(volume.name), keys.claim(volume.id)],
  }
}
