import { expect, test } from 'vitest'
import { memberId, sessionId } from '../base/ids.ts'
import { type Asked, packAsk, unpackAsk, unpackEnd } from './wire.ts'

const table = { slow: [0.5], long: [0.5], fast: [0.6], variance: [0.01] }
const source = { member: memberId('a'), capacity: [1], load: table, sigma: [0.02] }
const demand = { remote: [0.2], local: [0.1] }
const load = {
  slow: demand,
  long: demand,
  fast: demand,
  variance: 0.001,
  owners: [[memberId('b'), 0.6]] as const,
  elsewhere: 0.2,
}
const asked: Asked = {
  session: { id: sessionId(17), load, left: [{ member: memberId('c'), atMs: 5000 }] },
  source,
  price: 6.6,
  topmost: true,
  urgent: false,
}

const wire = (x: unknown) => JSON.parse(JSON.stringify(x))

test('a proposal arrives as it was sent, its times by the clock of the receiver', () => {
  const arrived = unpackAsk(wire(packAsk(asked, 9000)), 1_000_000)
  const left = [{ member: memberId('c'), atMs: 996_000 }]
  expect(arrived).toEqual({ ...asked, session: { ...asked.session, left } })
})

test('a member without a network of its own moves a session whose bytes are known', () => {
  const both = { remote: [0.2, 0.3], local: [0.1, 0] }
  const session = { ...asked.session, load: { ...load, slow: both, long: both, fast: both } }
  const arrived = unpackAsk(wire(packAsk({ ...asked, session }, 9000)), 9000)
  expect(arrived).toEqual({ ...asked, session })
})

test.each([
  ['member', { source: { ...source, member: 5 } }],
  ['capacity', { source: { ...source, capacity: [0] } }],
  ['sigma', { source: { ...source, sigma: [] } }],
  ['load', { load: { ...load, slow: { remote: [1, 2], local: [0] } } }],
  ['load', { load: { ...load, slow: { remote: [1, 2, 3], local: [0, 0, 0] } } }],
  ['load', { load: { ...load, owners: [['b', 3]] } }],
  ['left', { left: [['c', -1]] }],
  ['price', { price: null }],
  ['session', { session: 1.5 }],
  ['flags', { urgent: 'yes' }],
])('a proposal with a wrong %s is refused', (what, wrong) => {
  expect(unpackAsk(wire({ ...packAsk(asked, 0), ...wrong }), 0)).toEqual({ refused: what })
})

test('the load of an end arrives as it was sent, and what is none is refused', () => {
  expect(unpackEnd(wire(source))).toEqual(source)
  expect(unpackEnd(null)).toEqual({ refused: 'end' })
  expect(unpackEnd({})).toEqual({ refused: 'member' })
})
