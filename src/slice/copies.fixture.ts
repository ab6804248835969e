// A group in virtual time whose slices have copies, for tests: what its record says, and what is written and read through it.
import { type TestSession, VolumeGroup } from '../../test/kit/volume-group.ts'
import { type MemberId, memberId, type SliceId, sliceId, volumeId } from '../base/ids.ts'
import { parseSlice } from '../group/parse.ts'
import { keys, type SliceRecord } from '../group/record.ts'
import { SessionCounters } from '../load/counters.ts'

export const BLOCK = 4096
export const [a, b, c] = [memberId('a'), memberId('b'), memberId('c')]
export const counters = new SessionCounters()

/** Slice 0 is at a, slice 1 at b, slice 2 at c. */
export async function group(seed: number, copies = 2, min = 1) {
  const world = await VolumeGroup.found(seed, { slices: 3, copies, min })
  const session = await world.finish(world.login(c))
  await served(world, sliceId(0))
  return { world, session }
}

export function recordOf(world: VolumeGroup, slice: SliceId): SliceRecord {
  const record = parseSlice(world.coordination.inspect(keys.slice(slice))[0]?.value ?? '')
  if (typeof record === 'string') throw new Error(record)
  return record
}

export async function served(world: VolumeGroup, slice: SliceId): Promise<SliceRecord> {
  const isServed = () => {
    const { primary, epoch } = recordOf(world, slice)
    return world.members.get(primary)?.slices.epochOf(slice) === epoch
  }
  await world.timeline.until(isServed, 60_000)
  return recordOf(world, slice)
}

export function write(
  world: VolumeGroup,
  session: TestSession,
  at: MemberId,
  value: number,
  offset = 0,
) {
  const { sessionId, gen } = session
  const data = new Uint8Array(BLOCK).fill(value)
  const { gateway } = world.member(at)
  return Promise.resolve(
    gateway.write({ session: sessionId, gen }, world.volume, offset, data, counters),
  )
}

export async function read(world: VolumeGroup, session: TestSession, at: MemberId, offset = 0) {
  const into = new Uint8Array(BLOCK)
  const { sessionId, gen } = session
  const { gateway } = world.member(at)
  const outcome = await gateway.read(
    { session: sessionId, gen },
    world.volume,
    offset,
    into,
    counters,
  )
  return outcome === 'done' ? into[0] : outcome
}

export function other(record: SliceRecord): MemberId {
  const copy = record.inSync.find((member) => member !== record.primary)
  if (copy === undefined) throw new Error('no copy')
  return copy
}

export function blockAt(world: VolumeGroup, member: MemberId, offset = 0): number | undefined {
  return world.durable.get(member)?.blocks.get(`${volumeId(1)}:${offset}`)?.[0]
}
