// The writes of one epoch, with a store and copies that answer when they are told to.
import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import {
  epoch,
  generation,
  type MemberId,
  memberId,
  sessionId,
  sliceId,
  volumeId,
} from '../base/ids.ts'
import type { Link } from '../peer/link.ts'
import { answerStatus } from '../peer/message.ts'
import type { Request } from '../peer/request.ts'
import type { StoreWrite } from '../store/record.ts'
import { CopySet } from './copy-set.ts'
import { noCopyWork } from './copy-work.ts'

const [b, c] = [memberId('b'), memberId('c')]
const { done, full, refused } = answerStatus

function scene(others: readonly MemberId[] = [b], min = 1) {
  const stored: ((result: 'done' | 'full') => void)[] = []
  const sent: { readonly to: MemberId; readonly request: Request; isWithdrawn: boolean }[] = []
  const troubles: string[] = []
  const link = (to: MemberId) => ({
    request: (request: Request) => sent.push({ to, request, isWithdrawn: false }),
    withdraw: (number: number) => {
      const one = sent[number - 1]
      if (one !== undefined) one.isWithdrawn = true
    },
  })
  const activated = others.map((member) => ({ member, boot: `${member}-1` }))
  const work = noCopyWork()
  const set = new CopySet(epoch(2), activated, min, {
    clock: new SimClock(new Timeline()),
    store: { write: () => new Promise((resolve) => stored.push(resolve)) },
    peers: { link: (to) => link(to) as unknown as Link },
    troubled: (member, trouble) => troubles.push(`${member} ${trouble}`),
    work,
  })
  const outcomes: string[] = []
  const write = (offset = 0, bytes = 4096) => {
    const seq = set.place()
    const of = { volume: volumeId(1), slice: sliceId(0), offset, bytes }
    const by = { session: sessionId(1), gen: generation(1), number: seq, acknowledged: 0 }
    const data = bytes === 4096 ? new Uint8Array(bytes) : null
    const whole: StoreWrite = { ...of, ...by, epoch: epoch(2), seq, data, edges: null }
    void set.write(whole, { blocks: 0, write: whole }).then((as) => outcomes.push(`${seq} ${as}`))
  }
  const answer = (at: number, seq: number, status: number = done) =>
    sent[at]?.request.settle(status, 0, seq, epoch(2))
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  return { set, work, stored, sent, troubles, outcomes, write, answer, turn }
}

it('CS1 R4 a write is answered when the own store and every copy have it, in the order of the numbers', async () => {
  const { stored, outcomes, write, answer, turn } = scene([b, c])
  write()
  write()
  for (const store of stored) store('done')
  answer(0, 1)
  answer(2, 2)
  answer(3, 1)
  await turn()
  expect(outcomes).toEqual(['1 done'])
  answer(1, 2)
  await turn()
  expect(outcomes).toEqual(['1 done', '2 done'])
})

it('what is sent to copies, and to a learner, is counted', () => {
  const { set, work, write } = scene([b, c])
  write()
  write(0, 8192)
  expect(work).toMatchObject({ copiedPieces: 4, copiedBytes: 2 * 4096, keptPieces: 0 })
  set.learn(memberId('d'), (_, bytes) => [bytes]).found({ volume: volumeId(1), page: 5 })
  write(5 * 2 ** 20)
  expect(work).toMatchObject({ copiedPieces: 7, copiedBytes: 5 * 4096 })
})

it('writes that wait are counted until they are answered, and not where too few are in sync', async () => {
  const { set, work, stored, write, answer, turn } = scene([b])
  write()
  write()
  expect(work.waiting).toBe(2)
  stored[0]?.('done')
  answer(0, 1)
  await turn()
  expect(work.waiting).toBe(1)
  set.end()
  set.finish('stale')
  expect(work.waiting).toBe(0)
  const few = scene([], 2)
  few.write()
  expect(few.work.waiting).toBe(0)
})

it('R4 with fewer than enough in sync nothing is answered', async () => {
  const { stored, outcomes, write, turn } = scene([], 2)
  write()
  stored[0]?.('done')
  await turn()
  expect(outcomes).toEqual([])
})

it('CS2 what is under way when the epoch ends is taken back, settles at the own store, and is answered as the next one says', async () => {
  const { set, stored, sent, outcomes, write, answer, turn } = scene()
  write()
  write()
  stored[0]?.('done')
  set.end()
  expect(sent.map(({ isWithdrawn }) => isWithdrawn)).toEqual([true, true])
  answer(0, 2)
  let isDrained = false
  void set.drained().then(() => {
    isDrained = true
  })
  await turn()
  expect([isDrained, outcomes]).toEqual([false, []])
  stored[1]?.('full')
  await turn()
  expect([isDrained, outcomes, set.isOwnFull]).toEqual([true, [], true])
  set.finish('done')
  await turn()
  expect(outcomes).toEqual(['1 done', '2 stale'])
})

it('CS3 a copy that cannot take what it is sent is told of once', () => {
  const { troubles, write, answer } = scene([b, c])
  write()
  write()
  answer(0, 0, full)
  answer(2, 0, full)
  answer(1, 0, refused)
  expect(troubles).toEqual(['b cannot', 'c refuses'])
})

it('CS4 a learner is sent writes of equal pages, which wait for it until it is given up', async () => {
  const { set, stored, sent, outcomes, write, answer, turn } = scene([])
  write()
  const learner = set.learn(c, (_, bytes) => [bytes])
  expect(learner.left).toBe(1)
  learner.found({ volume: volumeId(1), page: 5 })
  write()
  write(5 * 2 ** 20)
  expect(sent.map(({ request }) => request.seq)).toEqual([3])
  for (const store of stored) store('done')
  await turn()
  expect(outcomes).toEqual(['1 done', '2 done'])
  answer(0, 3)
  await turn()
  expect(outcomes).toEqual(['1 done', '2 done', '3 done'])
  write(5 * 2 ** 20)
  stored[3]?.('done')
  await turn()
  expect(outcomes).toHaveLength(3)
  set.giveUpLearner()
  await turn()
  expect(outcomes).toHaveLength(4)
  expect(sent[1]?.isWithdrawn).toBe(true)
})

it('CS4 LN1 a write of very many pages ends the learning: what was sent before waits for nothing', async () => {
  const { set, stored, outcomes, write, turn } = scene([])
  set.learn(c, (_, bytes) => [bytes]).found({ volume: volumeId(1), page: 0 })
  write()
  stored[0]?.('done')
  await turn()
  expect(outcomes).toEqual([])
  write(0, 2 ** 31)
  await turn()
  expect(outcomes).toEqual(['1 done'])
  expect(set.learner).toBeNull()
})
