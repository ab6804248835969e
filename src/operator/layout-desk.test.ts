import { expect, test } from 'vitest'
import { VolumeGroup } from '../../test/kit/volume-group.ts'
import { epoch, type MemberId, memberId } from '../base/ids.ts'
import { writeMember } from '../group/founding.ts'
import { parseSlice } from '../group/parse.ts'
import { keys, type SliceRecord } from '../group/record.ts'
import { summaryOf } from './condition.fixture.ts'
import { sliceCountsOf, stateOf } from './copies.ts'
import { LayoutDesk } from './layout-desk.ts'
import type { ShownMember } from './shown-member.ts'

const ids = ['m1', 'm2', 'm3', 'm4'].map(memberId)

function sliceOf(inSync: string, want = inSync, min = 1): SliceRecord {
  const list = (text: string) => text.split(' ').map(memberId)
  const [primary] = list(inSync) as [MemberId]
  return { epoch: epoch(1), primary, inSync: list(inSync), want: list(want), min }
}

function deskOf(slices: readonly SliceRecord[], members = ids, silent: readonly MemberId[] = []) {
  const group = { slices, members: new Map(members.map((id) => [id, {}])) }
  const answering = members.filter((id) => !silent.includes(id))
  const summaries = new Map(
    answering.map((id) => [id, { ...summaryOf(id), usedBytes: 12_000 }] as const),
  )
  return new LayoutDesk({ group } as unknown as ShownMember, async () => summaries)
}

async function planOf(...of: Parameters<typeof deskOf>) {
  const plan = await deskOf(...of).plan({})
  if (plan.kind === 'refused') throw new Error(plan.detail)
  return plan.value
}

test('the state of a slice is that of its copies', () => {
  const isDown = (id: MemberId) => id === 'm3'
  expect(stateOf(sliceOf('m1'))).toBe('whole')
  expect(stateOf(sliceOf('m3'), isDown)).toBe('whole') // one copy: told of the member
  expect(stateOf(sliceOf('m1 m2'))).toBe('whole')
  expect(stateOf(sliceOf('m1', 'm1 m2'))).toBe('lastCopy')
  expect(stateOf(sliceOf('m3', 'm1 m3'), isDown)).toBe('unavailable')
  expect(stateOf(sliceOf('m3 m1'), isDown)).toBe('whole') // m1 takes over
  expect(stateOf(sliceOf('m1 m2', 'm1 m2 m3', 2))).toBe('degraded')
  expect(stateOf(sliceOf('m1', 'm1 m2 m3', 2))).toBe('unavailable')
  expect(stateOf(sliceOf('m1 m2', 'm1 m4'))).toBe('whole') // on its way from m2 to m4
  expect(sliceCountsOf([sliceOf('m1 m2'), sliceOf('m1', 'm1 m2'), sliceOf('m2 m1')])).toEqual({
    ...{ count: 3, copies: 2, whole: 2, degraded: 0, lastCopy: 1, unavailable: 0 },
  })
})

test('the layout tells what each member has, lacks and is to give up', async () => {
  const slices = [sliceOf('m1 m2'), sliceOf('m2', 'm2 m3'), sliceOf('m1 m3', 'm2 m3')]
  const { members, evenness } = await deskOf(slices).show()
  expect(members).toEqual([
    { member: 'm1', primaries: 1, copies: 1, missing: 0, leaving: 1 },
    { member: 'm2', primaries: 2, copies: 3, missing: 1, leaving: 0 },
    { member: 'm3', primaries: 0, copies: 2, missing: 1, leaving: 0 },
    { member: 'm4', primaries: 0, copies: 0, missing: 0, leaving: 0 },
  ])
  expect(evenness.copies).toBe(2)
})

test('the plan makes it level over all members, a new one too, and moves no more than that', async () => {
  const slices = Array.from({ length: 12 }, (_, i) => sliceOf(`m${1 + (i % 3)}`))
  const plan = await planOf(slices)
  expect(plan).toMatchObject({ copies: 3, primaries: 3, bytes: 3 * 3_000 })
  expect(plan.evenness).toEqual({
    before: { copies: 4 / 3, primaries: 4 / 3 },
    after: { copies: 1, primaries: 1 },
  })
  expect(
    plan.members.map(({ member, gives, takes, copies }) => [member, gives, takes, copies]),
  ).toEqual([
    ['m1', 1, 0, 3],
    ['m2', 1, 0, 3],
    ['m3', 1, 0, 3],
    ['m4', 0, 3, 3],
  ])
  for (const { from, to, slice } of plan.moves) {
    expect(slices[slice]?.want).toEqual([from])
    expect(to).toBe('m4')
  }
  const level = await planOf(slices, ids.slice(0, 3))
  expect(level).toMatchObject({ copies: 0, primaries: 0, moves: [], bytes: 0 })
})

test('how much would move is not said while one that gives is silent', async () => {
  const slices = Array.from({ length: 12 }, (_, i) => sliceOf(`m${1 + (i % 3)}`))
  expect((await planOf(slices, ids, [memberId('m2')])).bytes).toBeNull()
  expect((await planOf(slices, ids, [memberId('m4')])).bytes).toBe(9_000)
})

/** Three members that serve twelve slices of one copy, a fourth that is in the record and does not answer, and the desk of the first. */
async function running(silent: readonly string[] = []) {
  const world = await VolumeGroup.found(3, { slices: 12, quietMs: 500 })
  const all = ['a', 'b', 'c', ...silent].map(memberId)
  for (const id of all) {
    const record = { id, bootId: 'x', portal: '', peer: '', api: '', draining: false }
    await world.finish(world.coordinator.txn(writeMember(record)))
  }
  const member = world.member(memberId('a'))
  await world.timeline.until(() => member.group.members.size === all.length)
  const { group, clock } = member
  const ports = { coordinator: world.coordinator, clock }
  const keeper = { written: async () => true }
  const summaries = new Map(
    all
      .filter((id) => !silent.includes(id))
      .map((id) => [id, { ...summaryOf(id), usedBytes: 4_000 }] as const),
  )
  const shown = { group, ports, keeper } as unknown as ShownMember
  const desk = new LayoutDesk(shown, async () => summaries)
  const records = () =>
    world.coordination.inspect(keys.slices).map(({ value }) => {
      const record = parseSlice(value)
      if (typeof record === 'string') throw new Error(record)
      return record
    })
  const isSettled = () =>
    group.slices.every(
      ({ want, inSync, primary }) =>
        want[0] === primary && [...want].sort().join() === [...inSync].sort().join(),
    )
  const apply = (copies?: number) =>
    world.finish(desk.apply(copies === undefined ? {} : { copies }))
  return { world, desk, apply, records, isSettled }
}

test('LD1 LD2 one copy becomes two and back while it is served, and ordering it again changes nothing', async () => {
  const { world, apply, desk, records, isSettled } = await running()
  expect(await apply(4)).toMatchObject({ kind: 'refused', code: 'tooFewMembers' })
  expect(await apply(3)).toMatchObject({ kind: 'refused', code: 'copiesMissing' })
  expect(records().every(({ want }) => want.length === 1)).toBe(true)
  const ordered = await apply(2)
  expect(ordered).toMatchObject({
    kind: 'done',
    value: { wanted: 2, copies: 12, bytes: 12_000, primaries: 0, underWay: { leaving: 0 } },
  })
  const before = records().map(({ want }) => want)
  expect(await apply(2)).toMatchObject({ value: { copies: 0, primaries: 0 } })
  expect(records().map(({ want }) => want)).toEqual(before)
  await world.timeline.until(isSettled, 60_000)
  expect(records().every(({ inSync, min }) => inSync.length === 2 && min === 1)).toBe(true)
  expect(await world.finish(desk.show())).toMatchObject({
    underWay: { copies: 0, leaving: 0, primaries: 0 },
    evenness: { copies: 1, primaries: 1 },
  })
  expect(await apply(3)).toMatchObject({ kind: 'done' })
  await world.timeline.until(isSettled, 60_000)
  expect(records().every(({ inSync, min }) => inSync.length === 3 && min === 2)).toBe(true)
  expect(await apply(1)).toMatchObject({ kind: 'done' })
  await world.timeline.until(isSettled, 60_000)
  expect(records().every(({ inSync, min }) => inSync.length === 1 && min === 1)).toBe(true)
  expect(await apply()).toMatchObject({ value: { copies: 0, primaries: 0 } })
})

test('LD2 nobody is given copies who does not answer', async () => {
  const { apply, records } = await running(['d'])
  const refused = await apply()
  expect(refused).toMatchObject({ kind: 'refused', code: 'memberSilent' })
  expect(records().some(({ want }) => want.includes(memberId('d')))).toBe(false)
})

test('LD1 what is ordered while slices change is ordered all the same', async () => {
  const { world, apply, records } = await running()
  world.coordination.set({ loseAnswerChance: 0.3 })
  expect(await apply(2)).toMatchObject({ kind: 'done' })
  world.coordination.set({ loseAnswerChance: 0 })
  expect(records().every(({ want }) => want.length === 2)).toBe(true)
})
