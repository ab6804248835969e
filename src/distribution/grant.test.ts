import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type MemberId, memberId, sessionId } from '../base/ids.ts'
import { heldBy, type SessionFacts } from './bounds.ts'
import { type GrantAnswer, grant, grantForced, type Receiver } from './grant.ts'
import { waiting } from './judge.ts'
import { DEFAULT_POLICY as P } from './policy.ts'
import type { End } from './view.ts'
import type { Asked } from './wire.ts'

const NOW_MS = 1_000_000

const end = (member: MemberId, load: number): End => ({
  member,
  capacity: [1],
  load: { slow: [load], long: [load], fast: [load], variance: [0] },
  sigma: [0],
})

const receiver = (load: number, more: Partial<Receiver> = {}): Receiver => ({
  end: end(memberId('b'), load),
  view: { members: new Map(), absent: new Map() },
  busy: false,
  draining: false,
  grantedThisRound: 0,
  barred: null,
  ...more,
})

function asked(sourceLoad: number, size: number, more: Partial<Asked> = {}): Asked {
  const demand = { remote: [size], local: [0] }
  const averages = { slow: demand, long: demand, fast: demand }
  return {
    session: {
      id: sessionId(1),
      load: { ...averages, variance: 0, owners: [], elsewhere: 0 },
      left: [],
    },
    source: end(memberId('a'), sourceLoad),
    price: 6,
    topmost: true,
    urgent: false,
    ...more,
  }
}

const reason = (answer: GrantAnswer) => (answer.kind === 'denied' ? answer.reason : null)

test('G1 a grant lowers the requests that wait by at least price / horizon', () => {
  let grants = 0
  let refusals = 0
  const share = fc.integer({ min: 0, max: 1000 }).map((x) => x / 1000)
  fc.assert(
    fc.property(share, share, share, share, (above, target, part, ofPrice) => {
      const source = target + (1 - target) * above
      const size = (source - target) * part
      const price = 3000 * ofPrice ** 4
      const answer = grant(receiver(target), asked(source, size, { price }), NOW_MS, P)
      const saved =
        waiting(source) - waiting(source - size) - (waiting(target + size) - waiting(target))
      if (answer.kind === 'granted') {
        grants++
        expect(saved).toBeGreaterThanOrEqual(price / P.horizonSeconds - 1e-9)
      } else if (answer.reason === 'NO_PAYBACK') {
        refusals++
        expect(saved).toBeLessThan(price / P.horizonSeconds + 1e-9)
      }
    }),
    { numRuns: 1000, seed: 1 },
  )
  expect(grants).toBeGreaterThan(50)
  expect(refusals).toBeGreaterThan(10)
})

test('G2 who has a proposal of its own under way answers BUSY to what it would grant', () => {
  expect(grant(receiver(0.1), asked(0.8, 0.2), NOW_MS, P).kind).toBe('granted')
  expect(reason(grant(receiver(0.1, { busy: true }), asked(0.8, 0.2), NOW_MS, P))).toBe('BUSY')
})

test('G3 a forced move passes over rates, rests and gain', () => {
  const plain = asked(0.8, 0.2)
  const returning = {
    ...plain,
    session: { ...plain.session, left: [{ member: memberId('b'), atMs: NOW_MS - 1 }] },
  }
  const fullRound = receiver(0.1, { grantedThisRound: P.grantsPerRound })
  expect(reason(grant(fullRound, plain, NOW_MS, P))).toBe('RATE_LIMIT')
  expect(reason(grant(receiver(0.1), returning, NOW_MS, P))).toBe('RETURN_BAN')
  expect(reason(grant(receiver(0.7), plain, NOW_MS, P))).toBe('NO_GAIN')
  expect(grantForced(fullRound, plain.session, P).kind).toBe('granted')
  expect(grantForced(receiver(0.1), returning.session, P).kind).toBe('granted')
  expect(grantForced(receiver(0.7), plain.session, P).kind).toBe('granted')
})

test('G3 a forced move never passes over safety or saturation', () => {
  const { session } = asked(0.8, 0.2)
  expect(reason(grantForced(receiver(0.81), session, P))).toBe('DEST_CAP')
  expect(reason(grantForced(receiver(0.1, { barred: 'MULTIPATH' }), session, P))).toBe('MULTIPATH')
  expect(reason(grantForced(receiver(0.1, { draining: true }), session, P))).toBe('DRAIN')
  const facts: SessionFacts = {
    initiator: 'iqn.x',
    ...{ pinned: false, moving: false, stableIsid: true, holdsState: true },
    ...{ suspectUntilMs: NOW_MS + 1, pausedEnough: true, siblings: [], partitionedOn: null },
  }
  const { view } = receiver(0)
  for (const by of ['operator', 'drain'] as const) {
    expect(heldBy(facts, view, NOW_MS, by)).toBe('HOLDS_STATE')
    expect(heldBy({ ...facts, holdsState: false }, view, NOW_MS, by)).toBeNull()
  }
})
