import { expect, test } from 'vitest'
import { epoch, type MemberId, memberId } from '../base/ids.ts'
import type { SliceRecord } from '../group/record.ts'
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
  const plan = await deskOf(slices).plan()
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
  const level = await deskOf(slices, ids.slice(0, 3)).plan()
  expect(level).toMatchObject({ copies: 0, primaries: 0, moves: [], bytes: 0 })
})

test('how much would move is not said while one that gives is silent', async () => {
  const slices = Array.from({ length: 12 }, (_, i) => sliceOf(`m${1 + (i % 3)}`))
  expect((await deskOf(slices, ids, [memberId('m2')]).plan()).bytes).toBeNull()
  expect((await deskOf(slices, ids, [memberId('m4')]).plan()).bytes).toBe(9_000)
})
