import { expect, test } from 'vitest'
import { type MemberId, memberId, sessionId } from '../base/ids.ts'
import { NO_SUMS } from '../load/cost-scale.ts'
import { REPORT_FORMAT, type Report } from '../load/report.ts'
import { BadPaths, barredFrom, heldBy, type SessionFacts } from './bounds.ts'
import { heldBack, withBegun } from './budget.ts'
import type { Code } from './code.ts'
import { grantForced } from './grant.ts'
import {
  NO_HISTORY,
  pausedMsLately,
  recallHistory,
  rememberHistory,
  restUntilMs,
  wentBadly,
  withMove,
} from './history.ts'
import { drainRound, meanSession, membersToAsk, placeDrained, placeLogin } from './place.ts'
import { inBlackout, DEFAULT_POLICY as P, parsePolicy } from './policy.ts'
import { Reservations } from './reservations.ts'
import { buildView, type End, type Heard, hear, type SessionView } from './view.ts'

const table = (x: number) => ({ slow: [x], long: [x], fast: [x], variance: [0] })
const end = (member: MemberId, load: number): End => ({
  member,
  capacity: [1],
  load: table(load),
  sigma: [0],
})

const report = (member: MemberId, sequence: number, more: Partial<Report> = {}): Report => ({
  format: REPORT_FORMAT,
  member,
  incarnation: 'one',
  sequence,
  atMs: 0,
  state: 'up',
  capacity: [1],
  load: table(0.4),
  sigma: [0.01],
  reserved: [0.1],
  sessions: 2,
  loopUtilisation: 0,
  fit: { factors: [], evidence: [], sums: NO_SUMS },
  ...more,
})

test('a policy that is wrong says why, setting by setting, and changes nothing', () => {
  const parsed = parsePolicy({
    kappa: -1,
    candidates: 1.5,
    mode: 'auto',
    colour: 'red',
    blackouts: [{ fromMinute: 5 }],
  })
  if (parsed.kind !== 'wrong') throw new Error('accepted')
  expect(parsed.reasons).toEqual([
    'kappa must be a number from 0 to 1000000, not -1.',
    'candidates must be a whole number.',
    'mode must be off, advise or on, not "auto".',
    'colour is not a setting of the policy.',
    'A blackout needs fromMinute and toMinute, different whole minutes from 0 to 1440.',
  ])
  expect(parsePolicy({ kappa: 2 })).toEqual({ kind: 'policy', policy: { ...P, kappa: 2 } })
  expect(parsePolicy(P).kind).toBe('policy')
})

test('a blackout may pass midnight and then belongs to the day on which it began', () => {
  const saturday = Date.UTC(2026, 0, 3)
  const policy = { ...P, blackouts: [{ days: [6], fromMinute: 1380, toMinute: 60 }] }
  const at = (hours: number) => inBlackout(policy, saturday + hours * 3_600_000)
  expect([22.9, 23, 24.9, 25, 0.5].map(at)).toEqual([false, true, true, false, false])
})

test('budgets: mode, window, round and hour', () => {
  const none = { atMs: [], thisRound: 0 }
  expect(heldBack({ ...P, mode: 'advise' }, none, 0, 0)).toBe('PAUSED')
  expect(heldBack(P, none, 0, 0)).toBeNull()
  let begun = none as Parameters<typeof withBegun>[0]
  for (let i = 0; i < 4; i++) begun = withBegun(begun, i)
  expect(heldBack(P, begun, 10, 0)).toBe('RATE_LIMIT')
  expect(heldBack({ ...P, movesPerHour: 4 }, { ...begun, thisRound: 0 }, 10, 0)).toBe('RATE_LIMIT')
  expect(heldBack({ ...P, movesPerHour: 4 }, { ...begun, thisRound: 0 }, 3_600_002, 0)).toBeNull()
})

test('a silent member is absent, an interrupted one is suspect for a minute, a late report changes nothing', () => {
  const heard = new Map<MemberId, Heard>()
  const listen = (member: MemberId, sequence: number, nowMs: number, incarnation = 'one') =>
    heard.set(member, hear(heard.get(member), report(member, sequence, { incarnation }), nowMs, P))
  listen(memberId('b'), 1, 0)
  listen(memberId('c'), 1, 0)
  listen(memberId('b'), 2, 4000)
  const group = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id: memberId(id), draining: id === 'e' }))
  listen(memberId('e'), 1, 4000)
  const view = buildView(group, heard, memberId('a'), 6000, P)
  expect([...view.members.keys()]).toEqual(['b'])
  expect(view.members.get(memberId('b'))?.load.slow[0]).toBeCloseTo(0.5, 9)
  expect([...view.absent]).toEqual([
    ['c', 'silent'],
    ['d', 'unheard'],
    ['e', 'draining'],
  ])
  listen(memberId('c'), 2, 20_000, 'two')
  listen(memberId('b'), 1, 20_000)
  const later = buildView(group, heard, memberId('a'), 20_000, P)
  expect(later.absent.get(memberId('c'))).toBe('suspect')
  expect(later.absent.get(memberId('b'))).toBe('silent')
  for (let t = 21; t <= 80; t++) listen(memberId('c'), t, t * 1000, 'two')
  expect(buildView(group, heard, memberId('a'), 80_000, P).members.has(memberId('c'))).toBe(true)
})

test('H1 rest doubles with each move of the hour, and history goes along as ages', () => {
  const one = withMove(NO_HISTORY, { left: memberId('a'), atMs: 1000, pauseMs: 80 })
  const two = withMove(one, { left: memberId('b'), atMs: 200_000, pauseMs: 20 })
  expect(restUntilMs(NO_HISTORY, P)).toBe(0)
  expect(restUntilMs(one, P)).toBe(1000 + 120_000)
  expect(restUntilMs(two, P)).toBe(200_000 + 240_000)
  expect(pausedMsLately(two, 300_000)).toBe(100)
  const memory = JSON.parse(JSON.stringify(rememberHistory(wentBadly(two, 200_000), 210_000)))
  const there = recallHistory(memory, 50_000)
  expect(there.moves.map((m) => [m.left, 50_000 - m.atMs])).toEqual([
    ['a', 209_000],
    ['b', 10_000],
  ])
  expect(there.suspectUntilMs).toBe(50_000 + 3_590_000)
  for (const wrong of [null, 7, { moves: [[1, 2, 3]] }, { moves: [['a', -1, 0]] }, {}]) {
    expect(recallHistory(wrong, 0)).toEqual(NO_HISTORY)
  }
})

const FACTS: SessionFacts = {
  initiator: 'iqn.x',
  pinned: false,
  moving: false,
  stableIsid: true,
  holdsState: false,
  suspectUntilMs: 0,
  pausedEnough: false,
  siblings: [],
  partitionedOn: null,
}
const ALL = { members: new Map(), absent: new Map([[memberId('c'), 'silent' as const]]) }

test.each<[Code, Partial<SessionFacts>, 'operator' | null]>([
  ['PINNED', { pinned: true }, 'operator'],
  ['ALREADY_MOVING', { moving: true }, 'operator'],
  ['HOLDS_STATE', { holdsState: true }, 'operator'],
  [
    'SIBLING_SILENT',
    { stableIsid: false, siblings: [{ member: memberId('c'), stableIsid: false }] },
    'operator',
  ],
  ['LAST_MOVE_FAILED', { suspectUntilMs: 50 }, null],
  ['PAUSE_BUDGET', { pausedEnough: true }, null],
])('%s holds a session', (code, more, stillBy) => {
  const facts = { ...FACTS, ...more }
  expect(heldBy(FACTS, ALL, 10, null)).toBeNull()
  expect(heldBy(facts, ALL, 10, null)).toBe(code)
  if (stillBy !== null) expect(heldBy(facts, ALL, 10, stillBy)).toBe(code)
  else expect(heldBy(facts, ALL, 10, 'operator')).toBeNull()
})

test('B1 B4 where a session may not go', () => {
  const bad = new BadPaths()
  const siblings = [{ member: memberId('b'), stableIsid: true }]
  expect(barredFrom({ ...FACTS, siblings }, memberId('b'), bad, 0)).toBe('MULTIPATH')
  expect(barredFrom({ ...FACTS, siblings, stableIsid: false }, memberId('b'), bad, 0)).toBeNull()
  expect(
    barredFrom({ ...FACTS, partitionedOn: new Set([memberId('a')]) }, memberId('b'), bad, 0),
  ).toBe('NOT_PARTITIONED')
  bad.mark('iqn.x', memberId('b'), 100)
  expect(barredFrom(FACTS, memberId('b'), bad, 99)).toBe('BAD_PATH')
  expect(barredFrom(FACTS, memberId('b'), bad, 100)).toBeNull()
})

test('I8 promises are what was given and has not arrived or run out', () => {
  const r = new Reservations()
  r.promise('x', [0.2], 0, P)
  r.promise('y', [0.3], 0, P)
  expect(r.sum(1, 1000)[0]).toBeCloseTo(0.5, 9)
  expect(r.renew('x', 4000, P)).toBe(true)
  expect(r.sum(1, 5000)).toEqual([0.2])
  expect(r.renew('y', 5000, P)).toBe(false)
  r.arrived('x', true, 6000)
  expect(r.sum(1, 6000)).toEqual([0])
  r.promise('z', [0.1], 7000, P)
  r.arrived('z', false, 7500)
  expect(r.sum(1, 9000)).toEqual([0.1])
  expect(r.sum(1, 9500)).toEqual([0])
})

const load = meanSession([], 3)
const small = { load: { ...load, slow: { remote: [0.1], local: [0] } }, barred: new Map() }

test('P1 P2 a login goes to the least utilised of those asked, for a clear difference', () => {
  const here = { ...end(memberId('a'), 0.5), draining: false }
  expect(placeLogin(small, here, [end(memberId('b'), 0.3), end(memberId('c'), 0.2)], P)?.to).toBe(
    'c',
  )
  expect(placeLogin(small, here, [end(memberId('b'), 0.49)], P)).toBeNull()
  expect(placeLogin(small, { ...here, draining: true }, [end(memberId('b'), 0.9)], P)?.to).toBe('b')
  const barred = new Map([[memberId('c'), 'MULTIPATH' as const]])
  expect(
    placeLogin({ ...small, barred }, here, [end(memberId('b'), 0.3), end(memberId('c'), 0)], P)?.to,
  ).toBe('b')
  const view = {
    members: new Map(
      ['b', 'c', 'd'].map(memberId).map((m) => [m, { ...end(m, 0), ageMs: 0, sessions: 0 }]),
    ),
    absent: new Map(),
  }
  expect(membersToAsk(view, barred, 4, P).sort()).toEqual(['b', 'd'])
  expect(membersToAsk(view, barred, 4, P)).toEqual(membersToAsk(view, barred, 4, P))
})

test('a storm of logins spreads, because each promise counts at once', () => {
  const promised = new Map(['b', 'c', 'd'].map(memberId).map((m) => [m, new Reservations()]))
  for (let i = 0; i < 30; i++) {
    const fresh = [...promised].map(([m, r]) => end(m, r.sum(1, 0)[0] ?? 0))
    const to = placeDrained(
      { ...small, load: { ...load, slow: { remote: [0.02], local: [0] } } },
      fresh,
      P,
    )
    promised.get(to ?? memberId(''))?.promise(String(i), [0.02], 0, P)
  }
  for (const r of promised.values()) expect(r.sum(1, 0)[0]).toBeCloseTo(0.2, 9)
})

test('a drain goes largest first, a third at a time, and only saturation or safety stops it', () => {
  const sessions = Array.from(
    { length: 60 },
    (_, id): SessionView => ({
      id: sessionId(id),
      load: { ...load, slow: { remote: [id / 100], local: [0] } },
      ageSeconds: 0,
      price: 1e9,
      debt: 0,
      restUntilMs: 1e9,
      left: [],
      held: id === 59 ? 'HOLDS_STATE' : null,
      barred: new Map(),
    }),
  )
  const round = drainRound(sessions)
  expect(round.map((s) => s.id)).toEqual(Array.from({ length: 20 }, (_, i) => 58 - i))
  expect(placeDrained(small, [end(memberId('b'), 0.95)], P)).toBeNull()
  const receiver = {
    end: end(memberId('b'), 0.5),
    view: ALL,
    busy: true,
    draining: false,
    grantedThisRound: 99,
    barred: null,
  }
  expect(grantForced(receiver, small, P).kind).toBe('granted')
  expect(grantForced({ ...receiver, barred: 'MULTIPATH' }, small, P)).toEqual({
    kind: 'denied',
    reason: 'MULTIPATH',
  })
  expect(grantForced({ ...receiver, end: end(memberId('b'), 0.95) }, small, P).kind).toBe('denied')
})
