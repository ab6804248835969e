// A copy by itself, with a store that answers when it is told to.
import { expect, it } from 'vitest'
import { crc32c } from '../base/crc32c.ts'
import { epoch, generation, memberId, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { frameKind } from '../peer/frames.ts'
import type { Incoming } from '../peer/incoming.ts'
import { answerStatus } from '../peer/message.ts'
import { PAGE_PAYLOAD_MAX } from '../peer/page-payload.ts'
import type { StoreWrite } from '../store/record.ts'
import type { Admitted, Reservation } from '../store/room.ts'
import { Copy } from './copy.ts'
import { noCopyWork } from './copy-work.ts'
import type { SliceStore } from './slice-store.ts'

const SLICE = sliceId(3)
const { done, refused, behind, full } = answerStatus

class HandStore implements Partial<SliceStore> {
  readonly written: {
    readonly seq: number
    readonly done: () => void
    readonly full: () => void
  }[] = []
  readonly rooms: ((isFreed: boolean) => void)[] = []
  isFull = false

  promisedEpoch = () => epoch(1)
  promise = async () => 'done' as const
  operationsOf = () => []
  versions = () => []
  adopt = async () => 'done' as const
  partsOf = async () => ({
    lost: null,
    present: new Uint8Array(32).fill(2, 0, 1),
    blocks: new Uint8Array(4096).fill(7),
    checksums: Uint32Array.of(77),
    stamp: { epoch: epoch(1), seq: 9 },
  })

  admit = (write: Admitted): Reservation | null => (this.isFull ? null : { blocks: 0, write })

  makeRoom = () => new Promise<boolean>((resolve) => this.rooms.push(resolve))

  write = ({ seq }: StoreWrite) =>
    new Promise<'done' | 'full'>((resolve) =>
      this.written.push({ seq, done: () => resolve('done'), full: () => resolve('full') }),
    )
}

async function copy(isLearner = false) {
  const store = new HandStore()
  const work = noCopyWork()
  const one = new Copy(SLICE, {
    ...{ boot: 'b-1', store: store as unknown as SliceStore, work },
    peers: { link: () => expect.unreachable(), ask: () => expect.unreachable() },
  })
  const asked = { slice: SLICE, epoch: epoch(2) }
  const answer = await one.activate({ ...asked, isLearner }, memberId('a'))
  expect(answer).toMatchObject({ kind: 'active', boot: 'b-1' })
  const aligned = { ...asked, operations: [], isInstead: false, isLast: true }
  expect(await one.aligned(aligned)).toBe(true)
  const send = (seq: number, of = 2) => one.answer(mutation(seq, of))
  return { one, store, work, send }
}

function mutation(seq: number, of: number): Incoming {
  return {
    ...{ kind: frameKind.replicate, volume: volumeId(1), slice: SLICE, offset: 0, bytes: 4096 },
    ...{ session: sessionId(5), gen: generation(1), number: seq, acknowledged: 0 },
    ...{ epoch: epoch(of), view: 0, seq, checksums: null, edges: null, verify: null, into: null },
    ...{ payload: new Uint8Array(4096), data: new Uint8Array(4096) },
  }
}

async function settled(answer: unknown): Promise<boolean> {
  const not = Symbol('not')
  const turn = new Promise((resolve) => setImmediate(() => resolve(not)))
  return (await Promise.race([answer, turn])) !== not
}

it('R2 R3 a copy takes the next mutation of its epoch, and refuses others', async () => {
  const { one, store, send } = await copy()
  const first = send(1)
  const third = send(3)
  expect(await settled(third)).toBe(true)
  expect(await third).toEqual({ status: behind, epoch: 2, seq: 0 })
  expect(await send(2, 1)).toEqual({ status: refused })
  store.written[0]?.done()
  expect(await first).toEqual({ status: done, epoch: 2, seq: 1 })
  await one.activate({ slice: SLICE, epoch: epoch(3), isLearner: false }, memberId('a'))
  expect(await send(2)).toEqual({ status: refused })
  expect(
    await one.activate({ slice: SLICE, epoch: epoch(2), isLearner: false }, memberId('a')),
  ).toMatchObject({ kind: 'refused' })
})

it('what a copy keeps is counted, and what it refuses is not', async () => {
  const { work, send } = await copy()
  void send(1)
  void send(1)
  void send(3)
  void send(2)
  expect(work).toMatchObject({
    copiedPieces: 0,
    copiedBytes: 0,
    keptPieces: 2,
    keptBytes: 2 * 4096,
  })
})

it('CP2 what comes again while it is under way is answered when it is durable', async () => {
  const { store, send } = await copy()
  const first = send(1)
  const again = send(1)
  expect(await settled(again)).toBe(false)
  expect(store.written).toHaveLength(1)
  store.written[0]?.done()
  expect(await again).toEqual({ status: done, epoch: 2, seq: 1 })
  expect(await first).toEqual(await send(1))
})

it('CP1 mutations keep their order while room is made for one, and nothing behind one that finds none is taken', async () => {
  const { store, send } = await copy()
  store.isFull = true
  const first = send(1)
  store.isFull = false
  const second = send(2)
  expect(store.written).toHaveLength(0)
  store.rooms[0]?.(true)
  await settled(null)
  await settled(new Promise(() => {}))
  expect(store.written.map(({ seq }) => seq)).toEqual([1, 2])
  for (const { done: end } of store.written) end()
  expect(await first).toMatchObject({ seq: 1 })
  expect(await second).toMatchObject({ seq: 2 })
  store.isFull = true
  const third = send(3)
  const fourth = send(4)
  store.rooms[1]?.(false)
  expect(await third).toEqual({ status: full })
  store.isFull = false
  expect(await fourth).toEqual({ status: refused })
  expect(store.written).toHaveLength(2)
})

it('CP4 what waits for room while something before it is refused is not handed to the store', async () => {
  const { one, store, send } = await copy()
  const first = send(1)
  store.isFull = true
  const second = send(2)
  store.isFull = false
  store.written[0]?.full()
  expect(await first).toEqual({ status: full })
  store.rooms[0]?.(true)
  await new Promise(setImmediate)
  expect(store.written).toHaveLength(1)
  expect(await second).toEqual({ status: refused })
  await one.activate({ slice: SLICE, epoch: epoch(3), isLearner: false }, memberId('a'))
})

it('CP4 what has waited for room while the copy was asked anew is not handed to the store', async () => {
  const { one, store, send } = await copy(true)
  store.isFull = true
  const late = send(1)
  store.isFull = false
  const next = one.activate({ slice: SLICE, epoch: epoch(2), isLearner: true }, memberId('a'))
  store.rooms[0]?.(true)
  expect(await next).toMatchObject({ kind: 'active' })
  expect(await late).toEqual({ status: refused })
  expect(store.written).toHaveLength(0)
})

it('CP3 a learner takes what it is sent with gaps, once', async () => {
  const { store, send } = await copy(true)
  const answers = [send(3), send(7), send(7)]
  for (const { done: end } of store.written) end()
  expect(store.written.map(({ seq }) => seq)).toEqual([3, 7])
  expect(await Promise.all(answers)).toMatchObject([{ seq: 3 }, { seq: 7 }, { seq: 7 }])
})

it('R2 an activation waits until what was taken before is over', async () => {
  const { one, store, send } = await copy()
  const before = send(1)
  const next = one.activate({ slice: SLICE, epoch: epoch(3), isLearner: false }, memberId('a'))
  expect(await settled(next)).toBe(false)
  store.written[0]?.done()
  expect(await before).toEqual({ status: refused })
  expect(await next).toMatchObject({ kind: 'active' })
})

it('F3 a page that is fetched has the checksums that its store gave with it', async () => {
  const { one } = await copy()
  const into = new Uint8Array(PAGE_PAYLOAD_MAX)
  const answer = await one.answer({ ...mutation(0, 2), kind: frameKind.fetch, into })
  const { bytes = into, checksums } = answer
  expect(answer).toMatchObject({ status: done, epoch: 1, seq: 9 })
  expect([...(checksums ?? [])]).toEqual([crc32c(bytes.subarray(0, 4096)), 77])
})
