import { describe, expect, it } from 'vitest'
import { memberId } from '../base/ids.ts'
import {
  DEFAULT_AUTHORITY,
  foundGroup,
  refuseCopies,
  refuseGroup,
  refuseMemberId,
  setDraining,
  startMember,
} from './founding.ts'
import { Keys } from './keys.fixture.ts'
import { parseGroup, parseMember, parseSlice } from './parse.ts'
import { type GroupRecord, keys, RECORD_FORMAT, type SliceRecord } from './record.ts'

const founders = [memberId('m1'), memberId('m2'), memberId('m3')]

function groupOf(slices: number): GroupRecord {
  return {
    format: RECORD_FORMAT,
    name: 'lab',
    groupId: 'g-1',
    incarnation: 'i-1',
    lineage: [],
    slices,
    namingAuthority: DEFAULT_AUTHORITY,
  }
}

function slicesIn(store: Keys): SliceRecord[] {
  return store.list(keys.slices).map(({ value }) => {
    const slice = parseSlice(value)
    if (typeof slice === 'string') throw new Error(slice)
    return slice
  })
}

describe('foundGroup', () => {
  it('G6 the group comes last, when every slice has a primary', () => {
    const store = new Keys()
    const changes = foundGroup(groupOf(1024), founders)
    for (const change of changes) {
      expect(store.list(keys.group)).toEqual([])
      expect(change.put.length).toBeLessThanOrEqual(100)
      expect(store.apply(change)).toBe(true)
    }
    expect(parseGroup(store.list(keys.group)[0]?.value ?? '')).toEqual(groupOf(1024))
    expect(slicesIn(store)).toHaveLength(1024)
  })

  it('G6 members are primaries of equally many slices, in turn', () => {
    const store = new Keys()
    for (const change of foundGroup(groupOf(64), founders)) store.apply(change)
    const primaries = slicesIn(store).map(({ primary }) => primary)
    expect(primaries.slice(0, 4)).toEqual(['m1', 'm2', 'm3', 'm1'])
    expect(founders.map((id) => primaries.filter((one) => one === id).length)).toEqual([22, 21, 21])
  })

  it.each([
    { members: 3, copies: 2 },
    { members: 3, copies: 3 },
    { members: 7, copies: 3 },
  ])(
    'G6 $copies copies over $members members: all in sync, on different ones, equally many each',
    (shape) => {
      const { members, copies } = shape
      const ids = Array.from({ length: members }, (_, i) => memberId(`m${i + 1}`))
      const store = new Keys()
      const min = copies - 1
      for (const change of foundGroup(groupOf(1024), ids, { copies, min })) store.apply(change)
      const slices = slicesIn(store)
      expect(slices).toHaveLength(1024)
      for (const slice of slices) {
        expect(slice).toMatchObject({ epoch: 1, min, want: slice.inSync })
        expect(slice.inSync[0]).toBe(slice.primary)
        expect(new Set(slice.inSync).size).toBe(copies)
      }
      const primaries = ids.map((id) => slices.filter(({ primary }) => primary === id).length)
      const held = ids.map((id) => slices.filter(({ inSync }) => inSync.includes(id)).length)
      expect(Math.max(...primaries) - Math.min(...primaries)).toBeLessThanOrEqual(1)
      expect(Math.max(...held) - Math.min(...held)).toBeLessThanOrEqual(1)
    },
  )

  it('G6 with copies has the same primaries as without', () => {
    const primaries = (copies: number) => {
      const store = new Keys()
      for (const change of foundGroup(groupOf(64), founders, { copies, min: 1 }))
        store.apply(change)
      return slicesIn(store).map(({ primary }) => primary)
    }
    expect(primaries(2)).toEqual(primaries(1))
    expect(primaries(3)).toEqual(primaries(1))
  })

  it('copies that cannot be are refused with a sentence', () => {
    for (const [copies, members] of [
      [1, 1],
      [2, 2],
      [3, 32],
    ] as const)
      expect(refuseCopies(copies, members)).toBeNull()
    for (const copies of [0, 4, 1.5])
      expect(refuseCopies(copies, 9)).toBe(`A group keeps 1 to 3 copies, not ${copies}.`)
    expect(refuseCopies(2, 1)).toBe('2 copies need as many members, and there is 1.')
    expect(refuseCopies(3, 2)).toBe('3 copies need as many members, and there are 2.')
  })

  it('G6 two that found at once, stopped anywhere, leave one whole group', () => {
    for (let stop = 0; stop <= 12; stop += 1) {
      const store = new Keys()
      const one = foundGroup({ ...groupOf(1024), groupId: 'one' }, founders)
      const two = foundGroup({ ...groupOf(1024), groupId: 'two' }, founders)
      for (const change of one.slice(0, stop)) store.apply(change)
      for (const change of two) store.apply(change)
      for (const change of one.slice(stop)) expect(store.apply(change)).toBe(false)
      expect(parseGroup(store.list(keys.group)[0]?.value ?? '')).toMatchObject({ groupId: 'two' })
      expect(slicesIn(store)).toHaveLength(1024)
    }
  })

  it('wishes that cannot be are refused with a sentence', () => {
    expect(refuseGroup(groupOf(1024), founders)).toBeNull()
    expect(refuseGroup({ ...groupOf(8), name: 'Lab' }, founders)).toMatch(/'Lab' cannot name/)
    expect(refuseGroup(groupOf(0), founders)).toMatch(/1 to 16384 slices, not 0/)
    expect(refuseGroup(groupOf(2), founders)).toMatch(/3 members needs at least as many slices/)
    expect(refuseGroup(groupOf(8), [])).toMatch(/at least one member/)
    expect(refuseGroup(groupOf(8), [memberId('m1'), memberId('m1')])).toMatch(/only once/)
    expect(refuseGroup(groupOf(8), [memberId('m/1')])).toMatch(/'m\/1' cannot name a member/)
    for (const namingAuthority of [
      'eui.0',
      'iqn.2026-13.dev.x',
      'iqn.2026-11.dev.a:b',
      'iqn.2026-11',
    ]) {
      expect(refuseGroup({ ...groupOf(8), namingAuthority }, founders)).toMatch(
        /no naming authority/,
      )
    }
    expect(refuseMemberId('m-1')).toBeNull()
  })
})

describe('members', () => {
  const member = {
    id: memberId('m1'),
    bootId: 'b1',
    portal: 'h:1',
    peer: 'unix:/p',
    api: 'http://h:2',
  }
  const read = (store: Keys, id = 'm1') => {
    const item = store.list(keys.member(memberId(id)))[0]
    const record = parseMember(item?.value ?? '')
    if (item === undefined || typeof record === 'string') throw new Error('no such member')
    return { key: item.key, rev: item.rev, record }
  }

  it('a member that starts again keeps what an operator has set', () => {
    const store = new Keys()
    expect(store.apply(startMember(null, member))).toBe(true)
    expect(read(store).record.draining).toBe(false)
    store.apply(startMember(null, { ...member, id: memberId('m2') }))
    expect(store.apply(setDraining(read(store), read(store, 'm2')))).toBe(true)
    expect(store.apply(startMember(read(store), { ...member, bootId: 'b2' }))).toBe(true)
    expect(read(store).record).toEqual({ ...member, bootId: 'b2', draining: true })
  })

  it('a member changes only as it was read', () => {
    const store = new Keys()
    store.apply(startMember(null, member))
    expect(store.apply(startMember(null, member))).toBe(false)
    const before = read(store)
    store.apply(setDraining(before, null))
    expect(store.apply(startMember(before, member))).toBe(false)
  })

  it('G36 of two members that are drained at once, as each other’s last, one is not', () => {
    const store = new Keys()
    store.apply(startMember(null, member))
    store.apply(startMember(null, { ...member, id: memberId('m2') }))
    const [m1, m2] = [read(store), read(store, 'm2')]
    expect(store.apply(setDraining(m1, m2))).toBe(true)
    expect(store.apply(setDraining(m2, m1))).toBe(false)
    expect(() => setDraining(read(store, 'm2'), read(store))).toThrow(/G36/)
    expect(() => setDraining(m2, m2)).toThrow(/G36/)
    expect(store.apply(setDraining(read(store), null))).toBe(true)
    expect(store.apply(setDraining(read(store, 'm2'), read(store)))).toBe(true)
  })
})
