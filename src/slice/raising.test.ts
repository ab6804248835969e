// Slices that are raised one by one, many at the same time, on the simulated coordinator.
import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination } from '../../sim/coordinator.ts'
import { Timeline } from '../../sim/timeline.ts'
import { type Epoch, epoch, memberId, revision, type SliceId, sliceId } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import type { Coordinator, Transaction } from '../coordination/coordinator.ts'
import { parseSlice } from '../group/parse.ts'
import { keys, type SliceRecord } from '../group/record.ts'
import { raised } from '../group/slices.ts'
import { Raising } from './raising.ts'

const [m1, m2] = [memberId('m1'), memberId('m2')]
const SLICES = 150
const never = () => false

/** `meanwhile` happens in the instant in which the member sends its n-th raising transaction, from 1. */
async function scene(meanwhile: (nth: number) => void = () => {}) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const coordination = new SimCoordination(clock, new Prng(1))
  const others = coordination.handle('m2')
  const put = (slice: number, record: SliceRecord) =>
    others.txn({ put: [{ key: keys.slice(sliceId(slice)), value: JSON.stringify(record) }] })
  const first: SliceRecord = {
    epoch: epoch(1),
    primary: m1,
    inSync: [m1, m2],
    want: [m1, m2],
    min: 1,
  }
  for (let slice = 0; slice < SLICES; slice += 1) await timeline.finish(put(slice, first))
  const handle = coordination.handle('m1')
  const sizes: number[] = []
  const coordinator: Coordinator = {
    txn(transaction: Transaction) {
      const { put = [] } = transaction
      if (put.length > 0) {
        sizes.push(put.length)
        meanwhile(sizes.length)
      }
      return handle.txn(transaction)
    },
    list: (prefix) => handle.list(prefix),
    watch: (prefix, afterRev) => handle.watch(prefix, afterRev),
    nudge: () => handle.nudge(),
    lost: null,
    close: () => handle.close(),
  }
  const promised = new Map<SliceId, Epoch>()
  const loaded: number[] = []
  const raising = new Raising({
    ...{ self: m1, clock, coordinator, isClosed: never },
    store: {
      promisedEpoch: (slice) => promised.get(slice) ?? epoch(0),
      promise: async (epochs) => {
        for (const [slice, to] of epochs) promised.set(slice, to)
        return 'done'
      },
    },
    load: ({ rev }) => loaded.push(rev),
  })
  const recordOf = (slice: number) => {
    const record = parseSlice(coordination.inspect(keys.slice(sliceId(slice)))[0]?.value ?? '')
    if (typeof record === 'string') throw new Error(record)
    return record
  }
  return { timeline, coordination, raising, sizes, loaded, first, put, recordOf }
}

it('slices that are to be raised at the same time are so in few transactions, each once', async () => {
  const { timeline, raising, sizes, loaded, recordOf } = await scene()
  const all = Array.from({ length: SLICES }, (_, slice) => sliceId(slice))
  const stored = await timeline.finish(
    Promise.all(all.map((slice) => raising.one(slice, never, raised))),
  )
  expect(stored.map((slice) => slice?.id)).toEqual(all)
  expect(sizes).toEqual([64, 64, 22])
  expect(loaded).toHaveLength(3)
  for (const slice of all) expect(recordOf(slice).epoch).toBe(2)
})

it('RA1 R1 what a slice becomes is asked of it as it was read for the transaction that changes it', async () => {
  const { timeline, raising, sizes, first, put, recordOf } = await scene((nth) => {
    if (nth === 1) void put(2, { ...first, epoch: epoch(8), want: [m2, m1] })
  })
  const revs: number[] = []
  const one = (slice: number, isOver = never) =>
    raising.one(sliceId(slice), isOver, (record, to, rev) => {
      if (slice === 2) revs.push(rev)
      return raised(record, to)
    })
  const stored = await timeline.finish(Promise.all([one(1), one(2), one(3), one(4, () => true)]))
  expect(stored.map((slice) => slice?.record.epoch ?? null)).toEqual([2, 9, 2, null])
  expect(recordOf(2)).toMatchObject({ epoch: 9, want: [m2, m1] })
  expect(revs).toHaveLength(2)
  expect(revision(revs[1] ?? 0)).toBeGreaterThan(revs[0] ?? 0)
  expect(sizes).toEqual([3, 3])
})

it('a slice that another member has taken over is none of them, and the others are raised', async () => {
  const { timeline, raising, first, put, recordOf } = await scene()
  await timeline.finish(put(5, { ...first, epoch: epoch(7), primary: m2 }))
  const stored = await timeline.finish(
    Promise.all([5, 6].map((slice) => raising.one(sliceId(slice), never, raised))),
  )
  expect(stored.map((slice) => slice?.record.epoch ?? null)).toEqual([null, 2])
  expect(recordOf(5)).toMatchObject({ epoch: 7, primary: m2 })
})
