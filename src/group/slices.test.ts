import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Epoch, epoch, type MemberId, memberId, revision, sliceId } from '../base/ids.ts'
import { DEFAULT_AUTHORITY, foundGroup } from './founding.ts'
import { Keys } from './keys.fixture.ts'
import { parseSlice } from './parse.ts'
import { type GroupRecord, keys, RECORD_FORMAT, type SliceRecord } from './record.ts'
import {
  changeSlices,
  handedOver,
  heirOf,
  leaving,
  missing,
  raised,
  raiseEpochs,
  refuseSlice,
  type StoredSlice,
  takenOver,
  usualMin,
  wanting,
  withCopy,
  withoutCopies,
} from './slices.ts'

const all = ['m1', 'm2', 'm3', 'm4'].map(memberId)
const [m1, m2, m3] = ['m1', 'm2', 'm3'].map(memberId) as [MemberId, MemberId, MemberId]
const slice: SliceRecord = {
  ...{ epoch: epoch(5), primary: m1, inSync: [m1, m2], want: [m1, m2], min: 1 },
}
const stored = (record: SliceRecord): StoredSlice => ({
  ...{ id: sliceId(7), rev: revision(3), record },
})

function slicesIn(store: Keys): StoredSlice[] {
  return store.list(keys.slices).map(({ key, value, rev }) => {
    const record = parseSlice(value)
    if (typeof record === 'string') throw new Error(record)
    return { id: keys.sliceOf(key), rev, record }
  })
}

function sliceIn(store: Keys): StoredSlice {
  const found = slicesIn(store)[1]
  if (found === undefined) throw new Error('there is no such slice')
  return found
}

function founded(copies: number, slices = 4): Keys {
  const store = new Keys()
  const group: GroupRecord = {
    ...{ format: RECORD_FORMAT, name: 'lab', groupId: 'g', incarnation: 'i', lineage: [] },
    ...{ slices, namingAuthority: DEFAULT_AUTHORITY },
  }
  const of = { copies, min: usualMin(copies) }
  for (const change of foundGroup(group, all.slice(0, 3), of)) store.apply(change)
  return store
}

type Kind = 'without' | 'over' | 'with' | 'hand' | 'raise' | 'want' | 'leave'

/** What a member could do to the slice as it knows it; null: nothing of this kind. */
function step(record: SliceRecord, kind: Kind, who: MemberId, up: number): SliceRecord | null {
  const to: Epoch = epoch(record.epoch + up)
  const { primary, inSync, want } = record
  const isOtherInSync = who !== primary && inSync.includes(who)
  if (kind === 'raise') return raised(record, to)
  if (kind === 'over') return isOtherInSync ? takenOver(record, who, to) : null
  if (kind === 'hand') return isOtherInSync ? handedOver(record, who, to) : null
  if (kind === 'without') return who === primary ? null : withoutCopies(record, [who], to)
  if (kind === 'with') return missing(record).includes(who) ? withCopy(record, who, to) : null
  if (kind === 'leave') return withoutCopies(record, leaving(record), to)
  const others = all.filter((id) => id !== who)
  return wanting(record, [who, ...others].slice(0, want.length))
}

describe('slices', () => {
  const kinds: readonly Kind[] = ['without', 'over', 'with', 'hand', 'raise', 'want', 'leave']
  const programs = fc.array(
    fc.record({
      kind: fc.constantFrom(...kinds, ...(['with', 'with', 'hand'] as const)),
      who: fc.constantFrom(...all),
      up: fc.integer({ min: 1, max: 3 }),
      /** Read this many changes ago. */
      late: fc.constantFrom(0, 0, 0, 1, 2),
    }),
    { minLength: 5, maxLength: 40 },
  )

  it('G30 G31 G32 hold through whatever members do, also by what they read before', () => {
    const done = new Map<Kind | 'lost', number>()
    const count = (what: Kind | 'lost') => done.set(what, (done.get(what) ?? 0) + 1)
    fc.assert(
      fc.property(programs, fc.integer({ min: 1, max: 3 }), (program, copies) => {
        const store = founded(copies, 3)
        const past = [sliceIn(store)]
        for (const { kind, who, up, late } of program) {
          const of = past.at(-1 - late) ?? sliceIn(store)
          const before = sliceIn(store)
          const to = step(of.record, kind, who, up)
          if (to === null) continue
          const [change] = changeSlices([{ slice: of, to }])
          const isDone = change !== undefined && store.apply(change)
          expect(isDone).toBe(of.rev === before.rev)
          count(isDone ? kind : 'lost')
          if (!isDone) continue
          past.push(sliceIn(store))
          hold(before.record, sliceIn(store).record, kind)
        }
      }),
      { numRuns: 400 },
    )
    for (const what of [...kinds, 'lost'] as const)
      expect([what, (done.get(what) ?? 0) > 20]).toEqual([what, true])
  })

  function hold(before: SliceRecord, after: SliceRecord, kind: Kind): void {
    expect(refuseSlice(after)).toBeNull()
    expect(after.inSync).toContain(after.primary) // G31
    expect(after.epoch > before.epoch || kind === 'want').toBe(true) // G30
    const isChanged = after.primary !== before.primary || `${after.inSync}` !== `${before.inSync}`
    expect(isChanged && after.epoch === before.epoch).toBe(false) // G30
    for (const id of after.inSync) expect([...before.inSync, ...before.want]).toContain(id) // G32
    if (after.primary !== before.primary) expect(before.inSync).toContain(after.primary) // G32
    if (kind === 'over') expect(after.inSync).not.toContain(before.primary) // G33
  }

  it('G30 what changes who has a slice without a higher epoch is never written', () => {
    const write = (to: SliceRecord) => () => changeSlices([{ slice: stored(slice), to }])
    expect(write(withoutCopies(slice, [m2], epoch(5)))).toThrow(/G30/)
    expect(write(takenOver(slice, m2, epoch(4)))).toThrow(/G30/)
    expect(write(raised(slice, epoch(4)))).toThrow(/G30/)
    expect(write(handedOver(slice, m2, epoch(5)))).toThrow(/G30/)
    expect(write({ ...slice, want: [m1, m3] })()).toHaveLength(1)
    expect(write(raised(slice, epoch(6)))()).toEqual([
      {
        compare: [{ key: 'slice/00007', rev: 3 }],
        put: [{ key: 'slice/00007', value: JSON.stringify({ ...slice, epoch: 6 }) }],
        remove: [],
      },
    ])
  })

  it('G31 a primary removes others, and never itself', () => {
    expect(withoutCopies(slice, [m2], epoch(6))).toEqual({ ...slice, epoch: 6, inSync: [m1] })
    expect(() => withoutCopies(slice, [m1], epoch(6))).toThrow(/G31/)
    const none = { ...slice, epoch: epoch(6), inSync: [] }
    expect(() => changeSlices([{ slice: stored(slice), to: none }])).toThrow(/not in sync/)
  })

  it('G32 only who is wanted and missing joins, and only who is in sync takes over', () => {
    const degraded = withoutCopies(slice, [m2], epoch(6))
    expect(missing(degraded)).toEqual([m2])
    expect(withCopy(degraded, m2, epoch(7))).toEqual({ ...slice, epoch: 7 })
    expect(() => withCopy(degraded, m3, epoch(7))).toThrow(/G32/)
    expect(() => withCopy(slice, m2, epoch(7))).toThrow(/G32/)
    expect(() => takenOver(degraded, m2, epoch(7))).toThrow(/G32/)
    expect(() => takenOver(slice, m1, epoch(7))).toThrow(/G32/)
    expect(() => handedOver(degraded, m2, epoch(7))).toThrow(/G32/)
  })

  it('G32 who is wanted no more leaves when all that are wanted are there, the primary too', () => {
    const moving = wanting(slice, [m3, m2])
    expect(moving).toEqual({ ...slice, want: [m3, m2] })
    expect([missing(moving), leaving(moving)]).toEqual([[m3], []])
    expect(leaving({ ...slice, want: [m1, m3] })).toEqual([]) // m3 is not there yet
    const joined = withCopy(moving, m3, epoch(6))
    expect([missing(joined), leaving(joined)]).toEqual([[], []]) // m1 is the primary
    const handed = handedOver(joined, m3, epoch(7))
    expect(leaving(handed)).toEqual([m1])
    expect(withoutCopies(handed, leaving(handed), epoch(8))).toEqual({
      ...{ ...slice, epoch: 8, primary: m3, inSync: [m2, m3], want: [m3, m2] },
    })
  })

  it('HO2 the first of those that are wanted is the heir of another primary once all of them are in sync', () => {
    const taken = { ...slice, primary: m2, inSync: [m2], want: [m1, m2, m3] }
    expect(heirOf(taken)).toBeNull()
    expect(heirOf({ ...taken, inSync: [m2, m1] })).toBeNull()
    expect(heirOf({ ...taken, inSync: [m2, m3, m1] })).toBe(m1)
    expect(heirOf({ ...taken, primary: m1, inSync: [m2, m3, m1] })).toBeNull()
  })

  it('G33 whoever takes over leaves the primary before out', () => {
    const three = { ...slice, inSync: [m1, m2, m3], want: [m1, m2, m3], min: 2 }
    expect(takenOver(three, m2, epoch(6))).toEqual({
      ...{ ...three, epoch: 6, primary: m2, inSync: [m2, m3] },
    })
    expect(handedOver(three, m2, epoch(6)).inSync).toEqual([m1, m2, m3])
  })
})

describe('raiseEpochs', () => {
  it('raises each epoch as it is told to, compared with what was read, in transactions that fit', () => {
    const store = founded(1, 256)
    const own = slicesIn(store).filter(({ record }) => record.primary === m2)
    expect(own).toHaveLength(85)
    const epochs = new Map(own.map(({ id }) => [id, epoch(2)]))
    const changes = raiseEpochs(own, epochs)
    expect(changes.every(({ compare, put }) => compare.length === put.length)).toBe(true)
    const again = raiseEpochs(own, epochs)
    for (const change of changes) expect(store.apply(change)).toBe(true)
    for (const change of again) expect(store.apply(change)).toBe(false)
    for (const { record } of slicesIn(store))
      expect(record.epoch).toBe(record.primary === m2 ? 2 : 1)
  })

  it('no transaction has more than 100 keys', () => {
    const slices = Array.from({ length: 1000 }, (_, id) => ({ ...stored(slice), id: sliceId(id) }))
    const changes = raiseEpochs(slices, new Map())
    expect(changes.flatMap(({ put }) => put)).toHaveLength(1000)
    expect(Math.max(...changes.map(({ put }) => put.length))).toBeLessThanOrEqual(100)
  })
})
