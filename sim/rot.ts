// Blocks that rot in the folders of members while I/O goes on: at primaries and at copies, of one page at both, never the same
// block at two members. All of it is found by scrubbing and mended, and nobody reads a wrong byte or an error for it.
import { Prng } from '../src/base/prng.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../src/base/sizes.ts'
import { SLOT_HEADER_BYTES } from '../src/store/layout.ts'
import type { SimGroup, SimMember } from './group.ts'

const SLOT_BYTES = SLOT_HEADER_BYTES + PAGE_BYTES
const BLOCKS = PAGE_BYTES / BLOCK_BYTES
const OF_EACH = 4

/** Strikes every member. Returns how many blocks have rotted. */
export function rot(group: SimGroup): number {
  const prng = new Prng(group.seed)
  let count = 0
  for (const [index, member] of group.members.entries()) {
    const places = member.isUp ? placesOf(member, index, group.members.length) : []
    for (let i = 0; i < OF_EACH && places.length > 0; i += 1) {
      const [place] = places.splice(prng.integer(0, places.length - 1), 1)
      if (place === undefined) continue
      group.trace.add(member.id, `rots in ${place.path} at ${place.at}`)
      member.disk.flip(place.path, 8 * (place.at + prng.integer(0, BLOCK_BYTES - 1)))
      count += 1
    }
  }
  return count
}

/** Every page of every member is read against its checksums, from now on. */
export function scrubAll(group: SimGroup): void {
  for (const { member } of group.members) member?.store.scrub.now()
}

/** What is not mended yet, as sentences; before a pass has ended nobody knows. */
export function unmended(group: SimGroup): string[] {
  return group.members.flatMap(({ id, member }) => {
    if (member === null) return []
    if (!isScrubbed(member)) return [`${id} is scrubbing`]
    const damaged = member.store.damagedPages()
    const used = damaged.filter(
      ({ volume, page }) => member.repairs.judge(volume, page) !== 'unused',
    )
    return used.map(({ volume, page }) => `page ${page} of volume ${volume} at ${id}`)
  })
}

function isScrubbed({ store }: NonNullable<SimMember['member']>): boolean {
  const { begunMs, allReadSinceMs } = store.scrub.progress
  return allReadSinceMs !== null && begunMs === allReadSinceMs
}

interface Place {
  readonly path: string
  readonly at: number
}

/** Blocks that are not zeros: those of a page that are this member's to lose. */
function placesOf({ disk }: SimMember, index: number, members: number): Place[] {
  const places: Place[] = []
  for (const path of disk.filePaths().filter((name) => name.startsWith('data/'))) {
    const bytes = disk.peek(path)
    for (let slot = 0; slot < bytes.length; slot += SLOT_BYTES) {
      for (let block = index; block < BLOCKS; block += members) {
        const at = slot + SLOT_HEADER_BYTES + block * BLOCK_BYTES
        if (bytes.subarray(at, at + BLOCK_BYTES).some((byte) => byte !== 0))
          places.push({ path, at })
      }
    }
  }
  return places
}
