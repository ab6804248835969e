import { expect, test } from 'vitest'
import { type MemberId, memberId, sessionId } from '../base/ids.ts'
import { CODES } from './code.ts'
import { decide, type Proposal, type Reason } from './decide.ts'
import { DecisionLog, span, whyDenied, whyMoved, whyNot } from './explain.ts'
import { DEFAULT_POLICY as P } from './policy.ts'
import type { End, Own, SessionView, View } from './view.ts'

const table = (x: number) => ({ slow: [x], long: [x], fast: [x], variance: [0] })
const end = (member: MemberId, load: number): End => ({
  member,
  capacity: [1],
  load: table(load),
  sigma: [0.01],
})

function session(id: number, more: Partial<SessionView> = {}): SessionView {
  const demand = { remote: [0.2], local: [0.1] }
  const load = {
    slow: demand,
    long: demand,
    fast: demand,
    variance: 0,
    owners: [],
    elsewhere: 1 / 3,
  }
  return {
    id: sessionId(id),
    load,
    ageSeconds: 100,
    price: 6.6,
    debt: 0,
    restUntilMs: 0,
    left: [],
    held: null,
    barred: new Map(),
    ...more,
  }
}

const own = (load: number, sessions: SessionView[]): Own => ({
  ...end(memberId('A'), load),
  urgent: false,
  sessions,
})

function view(...ends: End[]): View {
  const members = new Map(ends.map((e) => [e.member, { ...e, ageMs: 500, sessions: 1 }]))
  return { members, absent: new Map() }
}

const NOW = { nowMs: 1_000_000, seed: 1 }

function reasonOf(more: Partial<SessionView>, load = 0.8, there = 0.2): Reason {
  const round = decide(own(load, [session(17, more)]), view(end(memberId('B'), there)), NOW, P)
  const [reason] = round.reasons
  if (reason === undefined) throw new Error('it was proposed')
  return reason
}

function proposal(): Proposal {
  const round = decide(own(0.8, [session(17, { debt: 9 })]), view(end(memberId('B'), 0.2)), NOW, P)
  const [first] = round.proposals
  if (first === undefined) throw new Error('nothing was proposed')
  return first
}

const names = { session: 'c17', self: memberId('A'), nowMs: NOW.nowMs }

test('a move says what staying cost, what it costs, what it saves, and what it expects', () => {
  expect(whyMoved(proposal(), 'c17', P)).toBe(
    'c17 moves A → B: staying has cost 19 request-seconds, a move costs 6.6 and saves 1.9 each second, so it pays back in 3 s. ' +
      'Expected A 80 % → 63 %, B 20 % → 37 %. The difference of 60 % is more than comes and goes (4 %).',
  )
})

test('what makes the difference more than noise is the rule that let the move pass', () => {
  const small = proposal()
  const noisy = { ...small, verdict: { ...small.verdict, gap: 0.01, need: 0.04 } }
  expect(whyMoved(noisy, 'c17', P)).toContain(
    'The difference of 1 % comes and goes, but the long-term averages show it too.',
  )
  const { load } = noisy.session
  const owners = [
    [memberId('A'), 0.2],
    [memberId('B'), 0.7],
  ] as const
  const local = { ...noisy, session: { ...noisy.session, load: { ...load, owners } } }
  expect(whyMoved(local, 'c17', P)).toContain(
    '70 % of its load is for pages at B, 20 % for pages at A.',
  )
  const risen = { ...noisy, urgent: true }
  expect(whyMoved(risen, 'c17', P)).toContain(
    'The load of A has just risen by far more than comes and goes.',
  )
  expect(whyMoved(risen, 'c17', { ...P, urgentUtilisation: 0.75 })).toContain('A is saturated.')
})

test.each<[string, Partial<SessionView>, number, number, string]>([
  [
    'DEBT_BUILDING',
    { price: 50 },
    0.8,
    0.2,
    'staying has cost 9.7 of the 46 request-seconds that justify a move to B; expected in 18 s',
  ],
  ['COOLDOWN', { debt: 9, restUntilMs: NOW.nowMs + 65_000 }, 0.8, 0.2, 'rests for another 65 s'],
  ['TOO_YOUNG', { ageSeconds: 10 }, 0.8, 0.2, 'too new to be judged, for another 20 s'],
  ['PINNED', { held: 'PINNED' }, 0.8, 0.2, 'pinned by the operator'],
  [
    'MULTIPATH',
    { barred: new Map([[memberId('B'), 'MULTIPATH']]) },
    0.8,
    0.2,
    'B already serves another path',
  ],
  [
    'RETURN_BAN',
    { left: [{ member: memberId('B'), atMs: NOW.nowMs - 1000 }] },
    0.8,
    0.2,
    'it left B less than 10 min ago',
  ],
  ['NO_PAYBACK', { price: 5000 }, 0.8, 0.2, 'too little to earn the price of 5000 within 15 min'],
  ['NO_GAIN', {}, 0.3, 0.8, 'no member has room below the mean'],
  ['UNDERSHOOT', {}, 0.6, 0.42, 'would fall below the mean'],
])('why-not says %s', (code, more, load, there, part) => {
  const reason = reasonOf(more, load, there)
  expect(reason.code).toBe(code)
  expect(whyNot(reason, names, P)).toContain(part)
  expect(whyNot(reason, names, P)).toMatch(/^c17 stays at A: .*\.$/)
})

test('NOISE names the gap and what it had to exceed', () => {
  const noisy = (e: End) => ({ ...e, sigma: [0.2] })
  const me = { ...own(0.6, [session(17)]), sigma: [0.2] }
  const round = decide(me, view(noisy(end(memberId('B'), 0.3))), NOW, { ...P, longFactor: 1 })
  expect(round.reasons[0]?.code).toBe('NOISE')
  const [reason] = round.reasons
  if (reason) expect(whyNot(reason, names, P)).toContain('30 %, less than comes and goes (85 %)')
})

test('every code has a sentence', () => {
  const reason = reasonOf({ held: 'PINNED' })
  for (const code of CODES) {
    const text = whyNot({ ...reason, code, to: memberId('B') }, names, P)
    expect(text.length, code).toBeGreaterThan(20)
    expect(text, code).not.toContain('undefined')
    expect(text, code).not.toContain('NaN')
  }
})

test('the log keeps the last of each session, and is bounded', () => {
  const log = new DecisionLog(3)
  for (let i = 0; i < 9; i++) {
    log.add({
      atMs: i,
      session: sessionId(i % 2),
      code: 'NOISE',
      to: memberId('B'),
      sentence: '',
      gain: 0,
      debt: 0,
      price: 0,
    })
  }
  expect(log.records.map((r) => r.atMs)).toEqual([6, 7, 8])
  expect(log.last(sessionId(1))?.atMs).toBe(7)
})

test('spans as people read them', () => {
  expect([5, 120, 7200].map(span)).toEqual(['5 s', '2 min', '2 h'])
})

test('a denial is told with the reason of who denied, in words', () => {
  const [proposal] = decide(
    own(0.8, [session(17, {})]),
    view(end(memberId('B'), 0.1)),
    NOW,
    P,
  ).proposals
  expect(proposal).toBeDefined()
  if (proposal === undefined) return
  expect(whyDenied('DEST_CAP', proposal, memberId('A'), P)).toBe(
    'session 17 stays at A: B denied it, for B would become too full.',
  )
  expect(whyDenied('it does not answer', proposal, memberId('A'), P)).toContain(
    'for it does not answer.',
  )
})

test('where the network decides, it is named', () => {
  const move = proposal()
  const { effect } = move.verdict
  const source = [...effect.source, { before: 0.9, after: 0.4 }]
  const verdict = {
    ...move.verdict,
    resource: 'network',
    effect: { ...effect, source, top: 1, topThere: 0 },
  } as const
  const told = whyMoved({ ...move, verdict }, 'c17', P)
  expect(told).toContain('Expected A 90 % → 40 % of its network, B 20 % → 37 % of its CPU.')
  expect(told).toContain('The difference of 60 % in network is more than comes and goes (4 %).')
  expect(whyMoved({ ...move, verdict, urgent: true }, 'c17', P)).toContain(
    'The network of A is saturated.',
  )
  const { session, ...figures } = { ...reasonOf({ held: 'PINNED' }), to: memberId('B') }
  const because = (code: Reason['code']) =>
    whyNot({ ...figures, session, code, resource: 'network' }, names, P)
  expect(because('DEST_CAP')).toContain('the network of B would become too full')
  expect(because('NOISE')).toContain('the difference to B is 0 % in network, less')
})
