import { describe, expect, it } from 'vitest'
import {
  epoch,
  type MemberId,
  memberId,
  revision,
  sessionId,
  sliceId,
  volumeId,
} from '../base/ids.ts'
import { DEFAULT_AUTHORITY, foundGroup } from './founding.ts'
import { parseGroup, parseSlice } from './parse.ts'
import { type GroupRecord, keys, RECORD_FORMAT } from './record.ts'
import { type Rebuilt, rebuildRecord } from './recover.ts'
import { type Evidence, type RecordCopy, refuseOlder, refuseRecord } from './seen.ts'
import { volumeCounterKey } from './volumes.ts'

const group: GroupRecord = {
  format: RECORD_FORMAT,
  name: 'lab',
  groupId: 'g',
  incarnation: 'first',
  lineage: [],
  slices: 3,
  namingAuthority: DEFAULT_AUTHORITY,
}
const founded = foundGroup(group, [memberId('m1'), memberId('m2'), memberId('m3')])
  .flatMap(({ put }) => put)
  .map(({ key, value }) => [key, value] as const)
const volume = (id: number, name: string) =>
  [
    keys.volume(volumeId(id)),
    JSON.stringify({
      ...{ id, name, iqn: `iqn.x:${id}`, bytes: 2 ** 20, blockBytes: 512, shared: true },
      ...{ lanes: [0, 1, 2], view: 1, createdAt: '' },
    }),
  ] as const

function copy(memberId: MemberId, at: number, more: RecordCopy['items'] = []): RecordCopy {
  const seen = { groupId: 'g', incarnation: 'first', revision: revision(at) }
  return { ...seen, memberId, items: [...founded, ...more] }
}

function evidence(member: MemberId, seen: number, kept: RecordCopy | null): Evidence {
  const store = null
  return {
    member,
    seen: { groupId: 'g', incarnation: 'first', revision: revision(seen) },
    copy: kept,
    store,
  }
}

function rebuilt(found: readonly Evidence[], incarnation = 'second'): Rebuilt {
  const result = rebuildRecord(found, incarnation)
  if (typeof result === 'string') throw new Error(result)
  return result
}

const valueAt = ({ items }: Rebuilt, key: string) =>
  items.find((item) => item.key === key)?.value ?? ''

describe('rebuildRecord', () => {
  it('G21 it begins above all that was seen, and everybody who has seen anything accepts it', () => {
    const found = [
      evidence(memberId('m1'), 40, copy(memberId('m1'), 38)),
      evidence(memberId('m2'), 57, copy(memberId('m2'), 51)),
      evidence(memberId('m3'), 44, null),
    ]
    const result = rebuilt(found)
    expect(result).toMatchObject({
      rev: 2 ** 32,
      seen: 57,
      from: { member: memberId('m2'), revision: 51 },
    })
    expect(parseGroup(valueAt(result, keys.group))).toEqual({
      ...group,
      incarnation: 'second',
      lineage: [{ incarnation: 'first', endedAt: 57 }],
    })
    expect(result.items.every(({ rev, created }) => rev === 2 ** 32 && created === rev)).toBe(true)
    for (const { seen } of found) {
      if (seen !== null) expect(refuseOlder(result.group, result.rev, seen)).toBeNull()
    }
    const more = { groupId: 'g', incarnation: 'first', revision: revision(58) }
    expect(refuseOlder(result.group, result.rev, more)).toMatch(/ended at revision 57/)
  })

  it('G21 each recovery begins above the one before, and keeps its lineage', () => {
    const one = rebuilt([evidence(memberId('m1'), 40, copy(memberId('m1'), 38))])
    const items = one.items.map(({ key, value }) => [key, value] as const)
    const kept = {
      groupId: 'g',
      incarnation: 'second',
      revision: revision(one.rev + 5),
      memberId: memberId('m1'),
      items,
    }
    // m2 was away when the first one was made, and has seen more than was known then.
    const two = rebuilt(
      [
        { member: memberId('m1'), seen: null, copy: kept, store: null },
        evidence(memberId('m2'), 60, null),
      ],
      'third',
    )
    expect(two.rev).toBe(2 ** 33)
    expect(two.group.lineage).toEqual([
      { incarnation: 'first', endedAt: 60 },
      { incarnation: 'second', endedAt: 2 ** 32 + 5 },
    ])
  })

  it('G21 no revision is given that would not fit between members', () => {
    const far = evidence(memberId('m1'), 2 ** 48 - 2 ** 32 - 1, copy(memberId('m1'), 38))
    expect(rebuilt([far]).rev).toBe(2 ** 48 - 2 ** 32)
    expect(
      rebuildRecord([evidence(memberId('m1'), 2 ** 48 - 2 ** 32, copy(memberId('m1'), 38))], 'x'),
    ).toMatch(/No revision is left/)
  })

  it('G22 volume ids go on far above the highest that any copy knows', () => {
    const older = copy(memberId('m2'), 51, [[volumeCounterKey, '7'], volume(7, 'gone')])
    const newer = copy(memberId('m1'), 60, [[volumeCounterKey, '6'], volume(6, 'kept')])
    const result = rebuilt([
      evidence(memberId('m2'), 51, older),
      evidence(memberId('m1'), 60, newer),
    ])
    expect(valueAt(result, volumeCounterKey)).toBe('1000')
    expect(result.volumes).toEqual([{ id: 6, name: 'kept' }])
    const far = copy(memberId('m1'), 60, [[volumeCounterKey, '1000']])
    expect(valueAt(rebuilt([evidence(memberId('m1'), 60, far)]), volumeCounterKey)).toBe('2000')
    expect(
      valueAt(rebuilt([evidence(memberId('m1'), 60, copy(memberId('m1'), 60))]), volumeCounterKey),
    ).toBe('1000')
  })

  it('G23 a slice has the highest epoch that any copy knows', () => {
    const raised = JSON.stringify({
      epoch: 9,
      primary: memberId('m1'),
      inSync: [memberId('m1')],
      want: [memberId('m1')],
      min: 1,
    })
    const older = copy(memberId('m2'), 51)
    const items = older.items.map(([key, value]) =>
      key === keys.slice(sliceId(0)) ? ([key, raised] as const) : ([key, value] as const),
    )
    const found = [
      evidence(memberId('m2'), 51, { ...older, items }),
      evidence(memberId('m1'), 60, copy(memberId('m1'), 60)),
    ]
    expect(parseSlice(valueAt(rebuilt(found), keys.slice(sliceId(0))))).toMatchObject({ epoch: 9 })
    expect(parseSlice(valueAt(rebuilt(found), keys.slice(sliceId(1))))).toMatchObject({ epoch: 1 })
  })

  it('G37 a slice is as the newest of all copies has it, though another copy is newer as a whole', () => {
    const [m1, m2, m3] = ['m1', 'm2', 'm3'].map(memberId) as [MemberId, MemberId, MemberId]
    const with0 = (of: RecordCopy, at: number, primary: MemberId, inSync: readonly MemberId[]) => {
      const record = { epoch: at, primary, inSync, want: [m1, m2, m3], min: 1 }
      const items = of.items.map(([key, value]) =>
        key === keys.slice(sliceId(0))
          ? ([key, JSON.stringify(record)] as const)
          : ([key, value] as const),
      )
      return { ...of, items }
    }
    const store = {
      ...{ groupId: 'g', session: sessionId(0), volume: volumeId(0), written: new Map() },
      epochs: new Map([[sliceId(0), epoch(9)]]),
    }
    const found = [
      evidence(m1, 60, with0(copy(m1, 60), 5, m1, [m1, m2, m3])),
      evidence(m2, 58, with0(copy(m2, 58), 7, m2, [m2])),
      { ...evidence(m3, 59, with0(copy(m3, 59), 6, m2, [m2, m3])), store },
    ]
    for (const some of [found, found.toReversed()])
      expect(parseSlice(valueAt(rebuilt(some), keys.slice(sliceId(0))))).toMatchObject({
        ...{ epoch: 9, primary: m2, inSync: [m2] },
      })
    // Of one epoch: what is wanted may have changed since.
    const wants = [m1, m2].map((id, i) => ({
      ...evidence(id, 60 - i, with0(copy(id, 60 - i), 7, m1, i === 0 ? [m1, m2] : [m1])),
    }))
    expect(parseSlice(valueAt(rebuilt(wants.toReversed()), keys.slice(sliceId(0))))).toMatchObject({
      ...{ inSync: [m1, m2] },
    })
  })

  it('G21 G22 G23 what a store knows above all copies is not given again, and its record is accepted', () => {
    const ids = { session: sessionId(2 ** 32 + 5), volume: volumeId(1003) }
    const store = {
      groupId: 'g',
      ...ids,
      epochs: new Map([[sliceId(1), epoch(9)]]),
      written: new Map(),
    }
    const found = [{ ...evidence(memberId('m1'), 40, copy(memberId('m1'), 38)), store }]
    const result = rebuilt(found)
    expect(result).toMatchObject({ rev: 2 ** 33, seen: 2 ** 32 + 5 })
    expect(valueAt(result, volumeCounterKey)).toBe('2000')
    expect(parseSlice(valueAt(result, keys.slice(sliceId(1))))).toMatchObject({ epoch: 9 })
    expect(parseSlice(valueAt(result, keys.slice(sliceId(0))))).toMatchObject({ epoch: 1 })
    const epochs = new Map([[sliceId(1), epoch(9)]])
    const met = { group: result.group, rev: result.rev, volumeId: volumeId(2000), epochs }
    for (const one of found) expect(refuseRecord(met, one)).toBeNull()
    const strange = { ...evidence(memberId('m2'), 40, null), store: { ...store, groupId: 'other' } }
    expect(rebuildRecord([...found, strange], 'x')).toMatch(/m1 and m2 belong to different groups/)
  })

  it('G25 copies of two lines of the record are not made into one', () => {
    const [key, value] = volume(6, 'one')
    const other = JSON.stringify({ ...JSON.parse(value), name: 'other', createdAt: 'later' })
    const renamed = JSON.stringify({ ...JSON.parse(value), name: 'new' })
    const found = (second: string) => [
      evidence(memberId('m1'), 60, copy(memberId('m1'), 60, [[key, value]])),
      evidence(memberId('m2'), 70, copy(memberId('m2'), 70, [[key, second]])),
    ]
    expect(rebuildRecord(found(other), 'x')).toMatch(
      /m1 and m2 tell of two .* id 6: .*--without m2/,
    )
    expect(rebuilt(found(renamed)).volumes).toEqual([{ id: 6, name: 'new' }])
  })

  it('nothing that ends with the file is rebuilt', () => {
    const stray = [keys.session(volumeId(1), 'iqn.x', 't'), '{}'] as const
    const result = rebuilt([evidence(memberId('m1'), 60, copy(memberId('m1'), 60, [stray]))])
    expect(result.items.map(({ key }) => key)).not.toContain(stray[0])
  })

  it('what cannot be is a sentence', () => {
    expect(rebuildRecord([evidence(memberId('m1'), 60, null)], 'x')).toMatch(
      /None of the folders holds/,
    )
    const other = { ...copy(memberId('m2'), 7), groupId: 'h' }
    expect(
      rebuildRecord(
        [
          evidence(memberId('m1'), 60, copy(memberId('m1'), 60)),
          { member: memberId('m2'), seen: null, copy: other, store: null },
        ],
        'x',
      ),
    ).toMatch(/m1 and m2 belong to different groups/)
    const bad = copy(memberId('m1'), 60, [[keys.volume(volumeId(1)), '{}']])
    expect(rebuildRecord([evidence(memberId('m1'), 60, bad)], 'x')).toMatch(
      /copy of m1 cannot be used: .*volume/,
    )
  })
})
