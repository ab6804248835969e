import { expect, test } from 'vitest'
import { type Asked, packAnswer, packAsk, unpackAnswer, unpackAsk } from './wire.ts'

const table = { slow: [0.5], long: [0.5], fast: [0.6], variance: [0.01] }
const source = { member: 'a', capacity: [1], load: table, sigma: [0.02] }
const demand = { remote: [0.2], local: [0.1] }
const load = {
  slow: demand,
  long: demand,
  fast: demand,
  variance: 0.001,
  owners: [['b', 0.6]] as const,
  elsewhere: 0.2,
}
const asked: Asked = {
  session: { id: 17, load, left: [{ member: 'c', atMs: 5000 }] },
  source,
  price: 6.6,
  topmost: true,
  urgent: false,
}

const wire = (x: unknown) => JSON.parse(JSON.stringify(x))

test('a proposal arrives as it was sent, its times by the clock of the receiver', () => {
  const arrived = unpackAsk(wire(packAsk(asked, 9000)), 1_000_000)
  const left = [{ member: 'c', atMs: 996_000 }]
  expect(arrived).toEqual({ ...asked, session: { ...asked.session, left } })
})

test('an answer arrives as it was sent', () => {
  for (const answer of [
    { kind: 'granted', gain: 1.5 },
    { kind: 'denied', reason: 'DEST_CAP' },
  ] as const) {
    expect(unpackAnswer(wire(packAnswer(answer, source)))).toEqual({ answer, fresh: source })
  }
})

test.each([
  ['member', { source: { ...source, member: 5 } }],
  ['capacity', { source: { ...source, capacity: [0] } }],
  ['sigma', { source: { ...source, sigma: [] } }],
  ['load', { load: { ...load, slow: { remote: [1, 2], local: [0] } } }],
  ['load', { load: { ...load, owners: [['b', 3]] } }],
  ['left', { left: [['c', -1]] }],
  ['price', { price: null }],
  ['session', { session: 1.5 }],
  ['flags', { urgent: 'yes' }],
])('a proposal with a wrong %s is refused', (what, wrong) => {
  expect(unpackAsk(wire({ ...packAsk(asked, 0), ...wrong }), 0)).toEqual({ refused: what })
})

test('what is no answer is refused', () => {
  const good = packAnswer({ kind: 'granted', gain: 1 }, source)
  expect(unpackAnswer(null)).toEqual({ refused: 'not an answer' })
  expect(unpackAnswer({ ...good, answer: { kind: 'denied', reason: 'MOOD' } })).toEqual({
    refused: 'answer',
  })
  expect(unpackAnswer({ ...good, fresh: {} })).toEqual({ refused: 'member' })
})
