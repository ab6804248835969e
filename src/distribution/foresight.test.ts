import { expect, test } from 'vitest'
import { memberId, sessionId } from '../base/ids.ts'
import type { LoadTable, SessionLoad } from '../load/load-table.ts'
import { foresee, optionsOf, whyItStays } from './foresight.ts'
import { DEFAULT_POLICY } from './policy.ts'
import type { Own, SessionView, View } from './view.ts'

const [m1, m2, m3, m4] = ['m1', 'm2', 'm3', 'm4'].map(memberId) as [
  ReturnType<typeof memberId>,
  ...ReturnType<typeof memberId>[],
]
const NOW = { nowMs: 1_000_000, seed: 1 }
const policy = DEFAULT_POLICY

const table = (load: number): LoadTable => ({
  ...{ slow: [load], long: [load], fast: [load], variance: [0] },
})

function loadOf(weight: number): SessionLoad {
  const demand = { remote: [weight], local: [0] }
  return { slow: demand, long: demand, fast: demand, variance: 0, owners: [], elsewhere: 1 / 3 }
}

function session(id: number, more: Partial<SessionView> = {}): SessionView {
  return {
    ...{ id: sessionId(id), load: loadOf(0.17), ageSeconds: 600, price: 6.6, debt: 10 },
    ...{ restUntilMs: 0, left: [], held: null, barred: new Map(), ...more },
  }
}

/** As FIG. 5: one member is full of three sessions, one is empty, one has two. */
function scene(sessions: readonly SessionView[]): { own: Own; view: View } {
  const end = { capacity: [1], sigma: [0.01] }
  const seen = (member: ReturnType<typeof memberId> | undefined, load: number) =>
    [
      member ?? m1,
      { ...end, member: member ?? m1, load: table(load), ageMs: 300, sessions: 0 },
    ] as const
  return {
    own: { ...end, member: m1, load: table(0.71), urgent: false, sessions },
    view: {
      members: new Map([seen(m2, 0.2), seen(m3, 0.54)]),
      absent: new Map([[m4 ?? m1, 'silent']]),
    },
  }
}

test('FO1 what is due is foretold one after the other, with the earlier ones done', () => {
  const { own, view } = scene([session(1), session(2), session(3)])
  const { now, later } = foresee(own, view, NOW, policy)
  // With the first one at m2 both are level, and the others stay.
  expect(now.map(({ session, to }) => [session.id, to])).toEqual([[1, m2]])
  expect(later).toEqual([])
})

test('what only time holds back is foretold with its time, the soonest first; nothing is remembered', () => {
  const building = session(1, { debt: 0 })
  const resting = session(2, { restUntilMs: NOW.nowMs + 5_000 })
  const tooDear = session(4, { restUntilMs: NOW.nowMs + 5_000, price: 1e6 })
  const { own, view } = scene([building, resting, session(3, { held: 'PINNED' }), tooDear])
  const { now, later } = foresee(own, view, NOW, policy)
  expect(now).toEqual([])
  expect(later.map(({ session, code }) => [session, code])).toEqual(
    [...later].sort((a, b) => a.untilMs - b.untilMs).map(({ session, code }) => [session, code]),
  )
  expect(later.map(({ code }) => code).sort()).toEqual(['COOLDOWN', 'DEBT_BUILDING'])
  expect(foresee(own, view, NOW, policy)).toEqual({ now, later })
})

test('every member is an option, with the rule that it breaks', () => {
  const left = [{ member: m3 ?? m1, atMs: NOW.nowMs - 1_000 }]
  const one = session(1, { left, barred: new Map([[m2 ?? m1, 'MULTIPATH']]) })
  const { own, view } = scene([one, session(2), session(3)])
  const options = optionsOf(one, own, view, NOW, policy)
  expect(new Map(options.map(({ to, code }) => [to, code]))).toEqual(
    new Map([
      [m2, 'MULTIPATH'],
      [m3, expect.stringMatching(/RETURN_BAN|UNDERSHOOT|NO_GAIN/)],
      [m4, 'silent'],
    ]),
  )
  expect(options.find(({ to }) => to === m2)?.gain).toBeGreaterThan(0)
  const [best] = optionsOf(session(2), own, view, NOW, policy)
  expect(best).toMatchObject({ to: m2, code: null })
})

test('why one session stays is judged alone; one that is due is a proposal', () => {
  const { own, view } = scene([session(1), session(2), session(3)])
  const held = session(2, { held: 'HOLDS_STATE' })
  expect(whyItStays(held, own, view, NOW, policy)).toMatchObject({ code: 'HOLDS_STATE' })
  expect(whyItStays(session(1), own, view, NOW, policy)).toMatchObject({ to: m2, debt: 10 })
})
