import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { EVENTS_KEPT, EventFeed, type FeedEvent, type Wanted } from './event-feed.ts'
import { OperatorInMemory } from './operator-in-memory.fixture.ts'

let operator: OperatorInMemory
let feed: EventFeed

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  operator = new OperatorInMemory()
  feed = new EventFeed(operator, 'origin')
  await feed.start()
})
afterEach(() => {
  feed.close()
  vi.useRealTimers()
})

const looks = (count = 1) => vi.advanceTimersByTimeAsync(500 * count)
const volume = (name: string) => ({ name, bytes: 2 ** 30, blockBytes: 512 as const, shared: false })

async function listen(lastId: string | null = null) {
  const events: FeedEvent[] = []
  const stop = await feed.listen((event) => events.push(event), lastId)
  const told = () => events.map(({ id, name, data }) => `${id} ${name} ${JSON.parse(data).change}`)
  return { told, stop, events }
}

test('what was is not told; what begins, changes and ends is, of every kind', async () => {
  await operator.createVolume(volume('old'))
  const { told, events } = await listen()
  await looks()
  const before = told().length
  operator.isWell = false
  await operator.createVolume(volume('new'))
  await operator.moveSession('42', { to: 'm2', wait: true })
  operator.m2 = { id: 'm2', state: 'up', start: 'b', standIn: null }
  await operator.setBalance({ mode: 'advise', policy: {} })
  await looks()
  await operator.deleteVolume('old')
  operator.isWell = true
  await looks(3)
  const kinds = told().slice(before)
  expect(kinds.map((one) => one.replace(/^origin-\d+ /, ''))).toEqual([
    'member restarted',
    'session went',
    'move ended',
    'balance changed',
    'problem appeared',
    'volume created',
    'problem gone',
    'volume deleted',
  ])
  const heads = events.slice(before).map(({ data }) => JSON.parse(data).event)
  expect(heads.map(({ sentence }) => sentence)).toEqual([
    'm2 has started anew',
    'session 42 of iqn.2005-03.org.example:host on vol1 went from m1 to m2',
    'move move-1 of session 42 from m1 to m2: returned',
    'the balance is advise, placement on',
    expect.stringMatching(/^error MEMBER_DOWN: m2 does not answer/),
    'volume new was made: 1 GiB',
    'over: MEMBER_DOWN m2',
    'volume old was deleted',
  ])
  expect(heads[1]).toMatchObject({
    ...{ kind: 'session', members: ['m1', 'm2'], volume: 'vol1', session: '42' },
  })
})

test('EF1 one look serves all; fewer are made while nobody listens, and none reads what cannot have changed', async () => {
  const moves = vi.spyOn(operator, 'moves')
  const [a, b] = [await listen(), await listen()]
  moves.mockClear()
  await looks(10)
  expect(moves).toHaveBeenCalledTimes(10)
  operator.isStill = true
  await looks(1)
  moves.mockClear()
  await looks(10)
  expect(moves).not.toHaveBeenCalled()
  operator.isStill = false
  a.stop()
  b.stop()
  await looks(1)
  moves.mockClear()
  await looks(40)
  expect(moves).toHaveBeenCalledTimes(10)
})

test('EF2 who comes back gets what came after, also if nobody listened meanwhile', async () => {
  const first = await listen()
  operator.isWell = false
  await looks()
  first.stop()
  await looks(100)
  operator.isWell = true
  await looks(4)
  operator.isWell = false
  await looks(4)
  expect((await listen('origin-1')).told()).toEqual([
    'origin-2 problem gone',
    'origin-3 problem appeared',
  ])
  expect((await listen('origin-3')).told()).toEqual([])
  expect((await listen('origin-0')).told()).toHaveLength(3)
})

test('EF2 what is not known any more is a gap, told once', async () => {
  operator.isWell = false
  await looks(4)
  const stranger = await listen('another-7')
  expect(stranger.told()).toEqual(['origin-1 gap undefined'])
  operator.isWell = true
  await looks(4)
  expect(stranger.told()).toEqual(['origin-1 gap undefined', 'origin-2 problem gone'])
})

test('what is kept is told by kind, and where a stream goes on after it', async () => {
  operator.isWell = false
  operator.m2 = { id: 'm2', state: 'up', start: 'a', standIn: null }
  await looks(4)
  const told = async (wanted: Wanted) => {
    const { items, last, gap } = await feed.kept(wanted)
    return [...items.map(({ event }) => event.kind), last, gap]
  }
  expect(await told({ limit: 10 })).toEqual(['member', 'problem', 'origin-2', false])
  expect(await told({ kind: ['member'], limit: 10 })).toEqual(['member', 'origin-2', false])
  expect(await told({ limit: 1 })).toEqual(['problem', 'origin-2', false])
  expect(await told({ limit: 1, after: 'origin-0' })).toEqual(['member', 'origin-1', false])
  expect(await told({ limit: 1, after: 'origin-1' })).toEqual(['problem', 'origin-2', false])
  expect(await told({ limit: 9, after: 'origin-2' })).toEqual(['origin-2', false])
  expect(await told({ limit: 9, after: 'another-2' })).toEqual(['origin-2', true])
  expect((await listen('origin-2')).told()).toEqual([])
})

test('EF3 what is kept is bounded', async () => {
  await listen()
  for (let i = 0; i < EVENTS_KEPT + 100; i += 1) {
    operator.isWell = !operator.isWell
    await looks()
  }
  const last = `origin-${EVENTS_KEPT + 100}`
  expect((await listen('origin-1')).told()).toEqual([`${last} gap undefined`])
  expect((await listen('origin-100')).told()).toHaveLength(EVENTS_KEPT)
})
