import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { epoch, memberId, NO_REVISION, revision, volumeId } from '../base/ids.ts'
import { DEFAULT_AUTHORITY } from './founding.ts'
import { Keys } from './keys.fixture.ts'
import { parseVolume } from './parse.ts'
import {
  type GroupRecord,
  keys,
  RECORD_FORMAT,
  type SliceRecord,
  type VolumeRecord,
} from './record.ts'
import {
  changeVolume,
  createVolume,
  dealLanes,
  deleteVolume,
  refuseChange,
  refuseVolume,
  type VolumeWish,
  volumeCounterKey,
  wouldShrink,
} from './volumes.ts'

const GIB = 1024 ** 3
const wish: VolumeWish = { name: 'data', bytes: GIB, blockBytes: 512, shared: false }

function groupOf(slices: number): GroupRecord {
  return {
    format: RECORD_FORMAT,
    name: 'lab',
    groupId: 'g',
    incarnation: 'i',
    lineage: [],
    slices,
    namingAuthority: DEFAULT_AUTHORITY,
  }
}

function slicesOf(count: number, members: number): SliceRecord[] {
  return Array.from({ length: count }, (_, slice) => {
    const primary = memberId(`m${slice % members}`)
    return { epoch: epoch(1), primary, inSync: [primary], want: [primary], min: 1 }
  })
}

/** As an API does it: reads the counter, creates. */
function create(store: Keys, wanted: VolumeWish): VolumeRecord | null {
  const counter = store.list(volumeCounterKey)[0]
  const { record, change } = createVolume({
    group: groupOf(64),
    id: volumeId(Number(counter?.value ?? 0) + 1),
    wish: wanted,
    slices: slicesOf(64, 3),
    counterRev: counter?.rev ?? NO_REVISION,
    at: '2026-11-24T00:00:00.000Z',
  })
  return store.apply(change) ? record : null
}

describe('createVolume', () => {
  it('the record is what was wished, and reads back as written', () => {
    const store = new Keys()
    const record = create(store, wish)
    expect(record).toMatchObject({ id: 1, name: 'data', bytes: GIB, blockBytes: 512, view: 1 })
    expect(record?.iqn).toBe('iqn.2026-11.dev.evenkeel:lab-1')
    expect(parseVolume(store.list(keys.volumes)[0]?.value ?? '')).toEqual(record)
  })

  it('G7 a name is taken once, and free again when its volume is deleted; an id is used once', () => {
    const store = new Keys()
    const first = create(store, wish)
    expect(create(store, wish)).toBeNull()
    expect(create(store, { ...wish, name: 'other' })?.id).toBe(2)
    const rev = store.list(keys.volume(volumeId(1)))[0]?.rev ?? NO_REVISION
    expect(first && store.apply(deleteVolume(first, revision(rev + 1)))).toBe(false)
    expect(first && store.apply(deleteVolume(first, rev))).toBe(true)
    expect(store.list(keys.volume(volumeId(1)))).toEqual([])
    expect(create(store, wish)?.id).toBe(3)
  })

  it('G7 of two that create at once from the same counter, one wins', () => {
    const store = new Keys()
    const changes = ['a', 'b'].map(
      (name) =>
        createVolume({
          group: groupOf(64),
          id: volumeId(1),
          wish: { ...wish, name },
          slices: slicesOf(64, 3),
          counterRev: revision(0),
          at: '',
        }).change,
    )
    expect(changes.map((change) => store.apply(change))).toEqual([true, false])
  })

  it('G19 a volume grows and never shrinks; nothing but its size and the count of its growths changes', () => {
    const store = new Keys()
    const before = create(store, wish)
    if (before === null) throw new Error('it was not created')
    expect(wouldShrink(before, { bytes: GIB - 4096 })).toBe(true)
    expect(() => changeVolume(before, revision(1), { bytes: GIB - 4096 })).toThrow(/only grows/)
    const rev = store.list(keys.volume(volumeId(1)))[0]?.rev ?? NO_REVISION
    const { record, change } = changeVolume(before, rev, { bytes: 3 * GIB })
    expect(record).toEqual({ ...before, bytes: 3 * GIB, view: 2 })
    expect(store.apply(change)).toBe(true)
    expect(parseVolume(store.list(keys.volume(volumeId(1)))[0]?.value ?? '')).toEqual(record)
    expect(store.apply(change)).toBe(false) // it is compared with what was read
  })

  it('G18 a new name is taken with the old one left, or nothing happens', () => {
    const store = new Keys()
    const before = create(store, wish)
    create(store, { ...wish, name: 'other' })
    if (before === null) throw new Error('it was not created')
    const rev = store.list(keys.volume(volumeId(1)))[0]?.rev ?? NO_REVISION
    expect(store.apply(changeVolume(before, rev, { name: 'other' }).change)).toBe(false)
    const { record, change } = changeVolume(before, rev, { name: 'renamed' })
    expect(record).toEqual({ ...before, name: 'renamed' })
    expect(store.apply(change)).toBe(true)
    expect(store.list(keys.volumeName('')).map(({ key }) => key)).toEqual(
      ['other', 'renamed'].map(keys.volumeName),
    )
    expect(create(store, wish)?.id).toBe(3)
  })

  it('changes that cannot be are refused with a sentence', () => {
    expect(refuseChange({})).toMatch(/say what is to change/)
    expect(refuseChange({ name: 'No' })).toMatch(/'No' cannot name/)
    expect(refuseChange({ bytes: 2 ** 50 })).toMatch(/1 MiB to 256 TiB/)
    expect(refuseChange({ bytes: GIB + 1 })).toMatch(/multiple of 4096/)
    expect(refuseChange({ name: 'b', bytes: GIB })).toBeNull()
  })

  it('G8 every member has as many lanes of a usual volume: 16, or a few more', () => {
    for (const [members, lanes] of [
      [1, 16],
      [2, 16],
      [3, 18],
      [4, 16],
      [5, 20],
      [7, 21],
      [64, 64],
    ] as const) {
      const { record } = createVolume({
        group: groupOf(64 * members),
        id: volumeId(1),
        wish,
        slices: slicesOf(64 * members, members),
        counterRev: revision(0),
        at: '',
      })
      expect(record.lanes).toHaveLength(lanes)
    }
  })

  it('a group with few slices gives as many lanes as it has', () => {
    const { record } = createVolume({
      group: groupOf(4),
      id: volumeId(1),
      wish,
      slices: slicesOf(4, 3),
      counterRev: revision(0),
      at: '',
    })
    expect([...record.lanes].sort()).toEqual([0, 1, 2, 3])
  })

  it('wishes that cannot be are refused with a sentence', () => {
    const refused = (some: Partial<VolumeWish>, slices?: number) =>
      refuseVolume({ ...wish, ...some }, slices)
    expect(refused({})).toBeNull()
    for (const name of ['', 'Data', '-a', 'a-', 'a/b', 'a b', 'é', 'a'.repeat(64)]) {
      expect(refused({ name })).toMatch(/cannot name a volume/)
    }
    for (const name of ['a', 'pvc-0b.1', 'a'.repeat(63)]) expect(refused({ name })).toBeNull()
    for (const bytes of [0, GIB + 1024 ** 5, 1.5, Number.NaN, 2 ** 20 - 4096]) {
      expect(refused({ bytes })).toMatch(/1 MiB to 256 TiB/)
    }
    expect(refused({ bytes: GIB + 512 })).toMatch(/multiple of 4096/)
    expect(refused({ blockBytes: 1024 as 512 })).toMatch(/512 or 4096/)
    for (const lanes of [0, 257, 1.5]) expect(refused({ lanes })).toMatch(/1 to 256 lanes/)
    expect(refused({ lanes: 9 }, 8)).toMatch(/as many lanes as its group has slices: 8, not 9/)
  })
})

describe('dealLanes', () => {
  it('G8 consecutive lanes have primaries on different members, in turn, and no slice comes twice', () => {
    const shape = fc.record({
      members: fc.integer({ min: 1, max: 7 }),
      perMember: fc.integer({ min: 1, max: 40 }),
      volume: fc.integer({ min: 1, max: 500 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    fc.assert(
      fc.property(shape, ({ members, perMember, volume, share }) => {
        const slices = slicesOf(members * perMember, members)
        const lanes = Math.max(1, Math.floor(share * Math.min(256, slices.length)))
        const dealt = dealLanes(slices, lanes, volumeId(volume))
        expect(dealt).toHaveLength(lanes)
        expect(new Set(dealt).size).toBe(lanes)
        const primaries = dealt.map((slice) => slices[slice]?.primary)
        for (let first = 0; first + members <= lanes; first += 1) {
          expect(new Set(primaries.slice(first, first + members)).size).toBe(members)
        }
      }),
    )
  })

  it('G8 a member with few slices is passed over when they are used up', () => {
    const slices = slicesOf(10, 2).map((slice, id) => ({
      ...slice,
      primary: memberId(id === 0 ? 'few' : 'many'),
    }))
    const dealt = dealLanes(slices, 10, volumeId(3))
    expect([...dealt].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('G8 volumes begin at different members, and their lanes spread over the slices', () => {
    const slices = slicesOf(96, 3)
    const uses = new Array<number>(96).fill(0)
    const firsts = new Set<string | undefined>()
    for (let volume = 1; volume <= 30; volume += 1) {
      const dealt = dealLanes(slices, 16, volumeId(volume))
      firsts.add(slices[dealt[0] ?? 0]?.primary)
      for (const slice of dealt) uses[slice] = (uses[slice] ?? 0) + 1
    }
    expect(firsts.size).toBe(3)
    expect(Math.max(...uses) - Math.min(...uses)).toBeLessThanOrEqual(3)
  })
})
