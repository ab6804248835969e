// Questions about slices that travel together: how many in a message, and what one that is late costs the others.
import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { sleep } from '../base/clock.ts'
import { type MemberId, memberId } from '../base/ids.ts'
import { Controls } from '../peer/controls.ts'
import { isList, type Json } from '../peer/message.ts'
import { Bundles, bundle } from './bundles.ts'

const [b, c] = [memberId('b'), memberId('c')]

/** Each number is answered with its double, late or never. */
function scene(lateMs: (asked: number) => number = () => 0) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  let malformed = 0
  const read = (json: Json) => (typeof json === 'number' ? json : String(json).length)
  const answer = async (asked: number) => {
    if (lateMs(asked) > 0) await sleep(clock, lateMs(asked))
    return asked * 2
  }
  const table = { activate: bundle(clock, read, answer), aligned: bundle(clock, read, answer) }
  const controls = new Controls(table, () => {
    malformed += 1
  })
  const sent: { to: MemberId; kind: string; parts: number }[] = []
  const bundles = new Bundles({
    clock,
    peers: {
      ask: async (to, kind, body) => {
        sent.push({ to, kind, parts: isList(body) ? body.length : 0 })
        return controls.answer(b, kind, body)
      },
    },
  })
  return { timeline, clock, bundles, sent, controls, malformed: () => malformed }
}

it('BU1 what is asked of a member in one turn is one message, and of many questions as many as are needed', async () => {
  const { timeline, bundles, sent } = scene()
  const numbers = Array.from({ length: 300 }, (_, i) => i)
  const asked = numbers.map((n) => bundles.ask(b, 'activate', n, 800))
  const others = [bundles.ask(c, 'activate', 7, 800), bundles.ask(b, 'aligned', 8, 800)]
  expect(sent).toEqual([])
  expect(await timeline.finish(Promise.all(asked))).toEqual(numbers.map((n) => n * 2))
  expect(await timeline.finish(Promise.all(others))).toEqual([14, 16])
  expect(sent.map(({ to, kind, parts }) => `${to} ${kind} ${parts}`)).toEqual([
    'b activate 128',
    'b activate 128',
    'b activate 44',
    'c activate 1',
    'b aligned 1',
  ])
})

it('BU1 long questions are few in a message', async () => {
  const { timeline, bundles, sent } = scene()
  const long = 'x'.repeat(100 * 1024)
  const asked = Array.from({ length: 5 }, () => bundles.ask(b, 'aligned', long, 800))
  asked.push(bundles.ask(b, 'aligned', 'x'.repeat(300 * 1024), 800))
  await timeline.finish(Promise.all(asked))
  expect(sent.map(({ parts }) => parts)).toEqual([2, 2, 1, 1])
})

it('BU2 a question that is answered late holds up no other one', async () => {
  const { timeline, bundles } = scene((asked) => (asked === 2 ? 10_000 : 0))
  const asked = [1, 2, 3].map((n) => bundles.ask(b, 'activate', n, 800))
  expect(await timeline.finish(Promise.all(asked))).toEqual([2, null, 6])
  expect(timeline.nowMs).toBeLessThan(800)
})

it('P9 a bundle counts whole or not at all, and not beyond its bound', () => {
  const { controls, malformed } = scene()
  const many = Array.from({ length: 129 }, () => 1)
  for (const body of [null, 7, {}, many]) expect(controls.answer(b, 'activate', body)).toBeNull()
  expect(malformed()).toBe(4)
})
