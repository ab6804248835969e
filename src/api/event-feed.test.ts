import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { EventFeed, type FeedEvent } from './event-feed.ts'
import { OperatorInMemory } from './operator-in-memory.fixture.ts'

let operator: OperatorInMemory
let feed: EventFeed

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  operator = new OperatorInMemory()
  feed = new EventFeed(operator, 'origin')
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

test('what was is not told; what begins, changes and ends is', async () => {
  await operator.createVolume(volume('old'))
  const { told, events } = await listen()
  await looks()
  expect(told()).toEqual([])
  operator.isWell = false
  await operator.createVolume(volume('new'))
  await operator.moveSession('42', { to: 'm2', wait: true })
  await looks()
  await operator.deleteVolume('old')
  operator.isWell = true
  await looks(3)
  expect(told()).toEqual([
    'origin-1 move undefined',
    'origin-2 problem appeared',
    'origin-3 volume created',
    'origin-4 problem gone',
    'origin-5 volume deleted',
  ])
  expect(JSON.parse(events[1]?.data ?? '')).toMatchObject({ code: 'MEMBER_DOWN', subject: 'm2' })
})

test('EF1 one look serves all, and nobody looks a minute after the last one left', async () => {
  const moves = vi.spyOn(operator, 'moves')
  const [a, b] = [await listen(), await listen()]
  moves.mockClear()
  await looks(10)
  expect(moves).toHaveBeenCalledTimes(10)
  a.stop()
  b.stop()
  await looks(121)
  moves.mockClear()
  await looks(100)
  expect(moves).not.toHaveBeenCalled()
  const c = await listen()
  operator.isWell = false
  await looks()
  expect(c.told()).toHaveLength(1)
})

test('EF2 who comes back gets what came after; what is not known any more is a gap, told once', async () => {
  const first = await listen()
  operator.isWell = false
  await looks()
  first.stop()
  operator.isWell = true
  await looks()
  operator.isWell = false
  await looks()
  expect((await listen('origin-1')).told()).toEqual([
    'origin-2 problem gone',
    'origin-3 problem appeared',
  ])
  expect((await listen('origin-3')).told()).toEqual([])
  expect((await listen('origin-0')).told()).toHaveLength(3)
  const stranger = await listen('another-7')
  expect(stranger.told()).toEqual(['origin-3 gap undefined'])
  operator.isWell = true
  await looks()
  expect(stranger.told()).toEqual(['origin-3 gap undefined', 'origin-4 problem gone'])
})

test('EF2 who comes back after nobody has looked for a while is told of a gap, though nothing was told since', async () => {
  const first = await listen()
  operator.isWell = false
  await looks()
  expect(first.told()).toEqual(['origin-1 problem appeared'])
  first.stop()
  await looks(121)
  operator.isWell = true
  const again = await listen('origin-1')
  expect(again.told()).toEqual(['origin-2 gap undefined'])
  operator.isWell = false
  await looks()
  expect(again.told().slice(1)).toEqual(['origin-3 problem appeared'])
  expect((await listen('origin-2')).told()).toEqual(['origin-3 problem appeared'])
})

test('EF3 what is kept is bounded', async () => {
  await listen()
  for (let i = 0; i < 600; i += 1) {
    operator.isWell = !operator.isWell
    await looks()
  }
  expect((await listen('origin-1')).told()).toEqual(['origin-600 gap undefined'])
  expect((await listen('origin-88')).told()).toHaveLength(512)
})
