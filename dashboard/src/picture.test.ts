import { describe, expect, test } from 'vitest'
import type { History, PastFigures, PastProblem } from '../../src/api/history-schema.ts'
import type { Move, Top } from '../../src/api/schema.ts'
import { layOut, VESSEL_BOTTOM, VESSEL_TOP, yOf } from './geometry.ts'
import { paceMs, withMove } from './pace.ts'
import { readPlace } from './place.ts'
import { advance, type Replay, shownOn, withSeen } from './replay.ts'
import { rowsInView } from './rows-in-view.ts'
import { bytesOf, sizeOf } from './sizes.ts'
import {
  marksOf,
  membersAt,
  pathOf,
  problemsAt,
  RANGES,
  refreshMs,
  sessionsThen,
  shareAt,
  timeOf,
  topOf,
} from './time-line.ts'
import {
  copiesSaid,
  figuresOf,
  headline,
  lackingSaid,
  shortName,
  subline,
  unbroken,
} from './words.ts'

type Session = Top['sessions'][number]
type Load = NonNullable<Top['members'][number]['load']>

const load = (utilisation: number): Load => ({
  ...{
    reportAgeMs: 1,
    utilisation,
    cpu: utilisation,
    hostCpu: 0,
    eventLoop: 0,
    eventLoopDelayMs: 0,
  },
  ...{ memoryBytes: 0, diskLatencyMs: null, diskQueue: 0, networkBytesPerSecond: 0, iops: 0 },
  ...{ resource: 'cpu', networkBitsPerSecond: null },
  ...{ bytesPerSecond: 0, latencyMs: null, forwardedShare: 0, handledIops: 0 },
})
const members = (...used: (number | null)[]): Top['members'] =>
  used.map((one, at) => ({
    id: `m${at + 1}`,
    state: one === null ? 'silent' : 'up',
    sessions: 0,
    load: one === null ? null : load(one),
  }))
const session = (id: number, member: string, cores = 0): Session => ({
  ...{ id: String(id), initiator: `iqn.2026-11.test:c${id}`, isid: '', source: '', volume: 'vol1' },
  ...{
    member,
    state: 'live',
    pinned: null,
    since: '',
    iops: 1,
    bytesPerSecond: 1,
    forwardedShare: 0,
  },
  ...{ queueDepth: 0, latencyMs: null, load: cores },
})
const move = (change: Partial<Move> = {}): Move => ({
  ...{ id: 'a', session: '1', volume: 'vol1', initiator: 'iqn.2026-11.test:c1' },
  ...{ from: 'm1', to: 'm2', by: 'balance', code: 'MOVED', reason: 'why', predicted: null },
  ...{ observed: null, drainMs: null, pauseMs: null, resent: null, outcome: null, cause: null },
  ...{ at: '2026-11-30T10:00:00.000Z', ...change },
})
const pastOf = (utilisation: (number | null)[]): PastFigures => {
  const none = utilisation.map(() => null)
  return {
    ...{ utilisation, cpu: none, memoryBytes: none, iops: none, bytesPerSecond: none },
    ...{ latencyMs: none, sessions: none, usedBytes: none },
  }
}
const nobody: ReadonlyMap<string, Replay> = new Map()
const draw = (top: Pick<Top, 'members' | 'sessions'>, replays = nobody, room = 1_000) =>
  layOut(top, replays, room, ({ initiator }) => shortName(initiator))

describe('the picture', () => {
  test('a vessel is as full as its member is used, and the line is at the mean', () => {
    const { vessels, mean, meanY } = draw({ members: members(0.2, 0.6, 1.3), sessions: [] })
    expect(vessels.map(({ surface }) => surface)).toEqual([yOf(0.2), yOf(0.6), VESSEL_TOP])
    expect(yOf(0)).toBe(VESSEL_BOTTOM)
    expect(mean).toBeCloseTo(0.7)
    expect(meanY).toBeCloseTo(yOf(0.7))
  })

  test('a member that has not answered is no member at zero', () => {
    const { vessels, mean } = draw({ members: members(0.5, null), sessions: [] })
    expect(vessels.map(({ utilisation, isSilent }) => [utilisation, isSilent])).toEqual([
      [0.5, false],
      [null, true],
    ])
    expect(mean).toBe(0.5)
  })

  test('a session hangs in its member, on a line as wide as its load', () => {
    const sessions = [session(1, 'm1', 0.3), session(2, 'm2', 0.1), session(3, 'm1', 0.001)]
    const { strands, vessels } = draw({ members: members(0.5, 0.5), sessions })
    const [one, two, three] = strands
    expect(one?.width).toBeCloseTo(3 * (two?.width ?? 0))
    expect(three?.width).toBeGreaterThan(1)
    const [m1, m2] = vessels
    for (const [strand, vessel] of [[one, m1] as const, [two, m2] as const, [three, m1] as const]) {
      expect(strand?.x).toBeGreaterThan(vessel?.x ?? 0)
      expect(strand?.x).toBeLessThan((vessel?.x ?? 0) + (vessel?.width ?? 0))
    }
    expect(one?.label).toBe('c1')
  })

  test('on a phone names stand in two rows by turns, and the name of a session that moves above both', () => {
    const sessions = [1, 2, 3, 4].map((id) => session(id, 'm1'))
    const nameOf = ({ id }: Session) => `host-${id}`
    const longNameOf = ({ id }: Session) => `a-host-of-long-name-${id}`
    const moving = new Map([['2', { move: move(), stage: 'drain', sinceMs: 0 } as const]])
    const lay = (replays: ReadonlyMap<string, Replay>, room: number) =>
      layOut({ members: members(0.5, 0.5, 0.5), sessions }, replays, room, nameOf).strands
    const [first, second, third] = lay(nobody, 308)
    expect([first?.label, second?.label, third?.label]).toEqual(['host-1', 'host-2', 'host-3'])
    expect(third?.labelY).toBe(first?.labelY)
    expect(second?.labelY).toBeLessThan((first?.labelY ?? 0) - 11)
    expect(lay(moving, 308)[1]?.labelY).toBeLessThan((second?.labelY ?? 0) - 11)
    const long = layOut({ members: members(0, 0, 0), sessions }, nobody, 308, longNameOf).strands
    expect(long[0]?.label).toMatch(/^….*-1$/)
    expect(new Set(lay(nobody, 1_200).map(({ labelY }) => labelY)).size).toBe(1)
  })

  test('of ten thousand the busiest hang for themselves, and the others are counted', () => {
    const sessions = Array.from({ length: 10_000 }, (_, at) => session(at, 'm1', at / 10_000))
    const { strands, vessels } = draw({ members: members(0.9, 0.1), sessions })
    expect(strands.length).toBeLessThan(60)
    expect(strands.length + (vessels[0]?.others ?? 0)).toBe(10_000)
    expect(strands.at(-1)?.session.id).toBe('9999')
  })

  test('it fits a phone, and many members are wider than it', () => {
    expect(
      draw({ members: members(0, 0, 0), sessions: [] }, nobody, 328).width,
    ).toBeLessThanOrEqual(328)
    const many = draw({ members: members(...Array(12).fill(0.1)), sessions: [] }, nobody, 328)
    expect(many.width).toBeGreaterThan(1_100)
  })
})

describe('a move is shown', () => {
  test('RP1 on its way once it has returned, and where it stayed if it stayed', () => {
    let shown = withSeen(nobody, move(), 0)
    shown = advance(shown, 60_000)
    expect(shown.get('1')?.stage).toBe('drain')
    expect(shownOn('m2', shown.get('1'))).toBe('m1')
    const stages: string[] = []
    shown = withSeen(shown, move({ outcome: 'returned' }), 60_001)
    for (let nowMs = 60_001; shown.size > 0; nowMs += 100) {
      shown = advance(shown, nowMs)
      const stage = shown.get('1')?.stage
      if (stage !== undefined && stage !== stages.at(-1)) stages.push(stage)
    }
    expect(stages).toEqual(['way', 'return'])
    const stayed = advance(withSeen(nobody, move({ outcome: 'abandoned' }), 0), 1_000)
    expect(stayed.get('1')?.stage).toBe('stays')
    expect(shownOn('m1', stayed.get('1'))).toBe('m1')
  })

  test('RP2 but no more than some at a time, and not again when its gain is known', () => {
    expect(withSeen(nobody, move({ outcome: 'returned', observed: 3 }), 0).size).toBe(0)
    let shown = nobody
    for (let at = 0; at < 100; at += 1) {
      shown = withSeen(shown, move({ id: String(at), session: String(at) }), 0)
    }
    expect(shown.size).toBe(24)
  })

  test('L1 the more sessions there are, the less often is asked; a silent member delays nothing else', () => {
    expect(paceMs(3, 1_000, 100)).toBe(1_000)
    expect(paceMs(800, 1_000, 100)).toBe(1_000)
    expect(paceMs(60, 1_000, 10_000)).toBe(2_000)
    expect(paceMs(5_000, 1_000, 100)).toBe(5_000)
  })

  test('a move that changes stays one, and the newest is first', () => {
    const later = move({ id: 'b', at: '2026-11-30T10:00:01.000Z' })
    const two = withMove([move()], later, 2)
    expect(two.map(({ id }) => id)).toEqual(['b', 'a'])
    const changed = withMove(two, move({ outcome: 'returned' }), 2)
    expect(changed.map(({ id, outcome }) => [id, outcome])).toEqual([
      ['b', null],
      ['a', 'returned'],
    ])
    expect(withMove(two, move({ id: 'c', at: '2026-11-30T10:00:02.000Z' }), 2)).toHaveLength(2)
  })
})

describe('the words', () => {
  const up = { coordination: 'up' } as const
  const head = (used: (number | null)[], replays = nobody) =>
    headline({ at: '', members: members(...used), sessions: [session(1, 'm1')] }, up, replays)

  test('the headline says what matters most', () => {
    expect(head([0.5, 0.52, 0.48])).toBe('The group is level')
    expect(head([0.8, 0.2, 0.2])).toBe('m1 carries more than the others')
    expect(head([0.01, 0.01])).toBe('The group is at rest')
    expect(head([0.5, null])).toBe('m2 does not answer')
    expect(head([null, 0.4, null])).toBe('m1 and m3 do not answer')
    expect(head([0.8, 0.2], withSeen(nobody, move(), 0))).toBe('c1 moves from m1 to m2')
  })

  test('under it stands whether anything is done', () => {
    const top = { at: '', members: members(0.8, 0.2), sessions: [session(1, 'm1')] }
    const volumes = { count: 2, bytes: 0, allocatedBytes: 0 }
    const said = subline(top, { balance: 'off', volumes } as Parameters<typeof subline>[1])
    expect(said).toBe(
      '1 session on 2 volumes. Members at 20\u00a0% to 80\u00a0%. Nothing moves by itself: balance is off.',
    )
  })

  test('a move has the figures that are known of it', () => {
    expect(figuresOf(move())).toEqual([])
    const ends = { before: 0.8, after: 0.5 }
    const known = figuresOf(
      move({
        predicted: { gain: 0.4, price: 5, from: ends, to: { before: 0.2, after: 0.5 } },
        pauseMs: 38.2,
        observed: 0.36,
      }),
    )
    expect(known.map(([, value]) => value)).toEqual([
      'm1 80 % → 50 %, m2 20 % → 50 %',
      '0.40 fewer requests waiting',
      'one request waiting for 5.0 s',
      '38.2 ms',
      '0.36 fewer requests waiting',
    ])
  })

  test('a number and its unit stay on one line', () => {
    expect(unbroken('for 18 s at 3 % of 2 GiB, 5 ms')).toBe(
      'for 18\u00a0s at 3\u00a0% of 2\u00a0GiB, 5\u00a0ms',
    )
    expect(unbroken('to 2 sessions, 1 member')).toBe('to 2 sessions, 1 member')
  })

  test('an initiator is called by the last part of its name', () => {
    expect(shortName('iqn.2026-11.dev.evenkeel.demo:client1')).toBe('client1')
    expect(shortName('iqn.2008-11.org.linux-kvm')).toBe('linux-kvm')
  })
})

function wrong(severity: 'warning' | 'error', from: string, to: string | null): PastProblem {
  const when = (time: string) => `2026-11-30T${time}.000Z`
  return {
    ...{ code: 'FULL', severity, subject: 'm1', sentence: 's', action: 'a', from: when(from) },
    to: to === null ? null : when(to),
  }
}

describe('looking back', () => {
  const known: History = {
    ...{ from: '2026-11-30T12:00:00.000Z', stepSeconds: 10, count: 4 },
    members: [
      { id: 'm1', past: pastOf([0.1, null, 0.4, 0.3]) },
      { id: 'm2', past: null },
    ],
    problems: [
      wrong('error', '12:00:21', '12:00:24'),
      wrong('warning', '12:00:15', null),
      wrong('error', '11:00:00', '11:30:00'),
    ],
  }

  test('a line has a gap where nothing is known', () => {
    const path = pathOf([0.1, null, 0.4, 0.3], 300, (value) => 100 - value * 100)
    expect(path).toBe('M0.0 90.0M200.0 60.0L300.0 70.0')
  })

  test('the axis ends above all that was, and says where', () => {
    expect(topOf(known)).toBe(0.5)
    expect(topOf({ ...known, members: [] })).toBe(0.1)
  })

  test('members are as they were, and not known while they did not answer', () => {
    const then = membersAt(known, 2)
    expect(then.map(({ id, utilisation }) => [id, utilisation])).toEqual([
      ['m1', 0.4],
      ['m2', null],
    ])
    expect(timeOf(known, 3)).toBe(Date.parse('2026-11-30T12:00:30.000Z'))
    expect(shareAt(known, Date.parse('2026-11-30T12:00:15.000Z'))).toBe(0.5)
    expect(shareAt(known, Date.parse('2026-11-30T13:00:00.000Z'))).toBeNull()
  })

  test('what was wrong then is told, the worst first, and marked where it was', () => {
    const then = (place: number) => problemsAt(known, place).map(({ severity }) => severity)
    expect([0, 1, 2, 3].map(then)).toEqual([[], ['warning'], ['error', 'warning'], ['warning']])
    const marks = marksOf({ ...known, problems: known.problems.slice(0, 2) })
    expect(marks.map(({ problem, from, to }) => [problem.severity, from, to])).toEqual([
      ['warning', 0.5, 1],
      ['error', 0.7, 0.8],
    ])
  })

  test('sessions hang where they were, and those of which no more is known are counted', () => {
    const one = { id: '7', initiator: 'iqn.x:host7', volume: 'vol1', load: 0.2 }
    const sessions = sessionsThen({
      at: known.from,
      members: [
        { id: 'm1', past: { sessions: [one], others: 12 } },
        { id: 'm2', past: null },
      ],
    })
    expect(sessions).toMatchObject([{ id: '7', member: 'm1' }])
    const members = [{ id: 'm1', state: 'up' as const, load: { utilisation: 0.4 }, unlisted: 12 }]
    const { strands, vessels } = layOut({ members, sessions }, new Map(), 400, () => 'host7')
    expect(strands).toMatchObject([{ label: 'host7', surface: yOf(0.4) }])
    expect(vessels).toMatchObject([{ others: 12 }])
  })

  test('it is asked anew as often as there is something new', () => {
    expect(Object.values(RANGES).map(refreshMs)).toEqual([5_000, 12_000, 60_000, 60_000])
  })
})

test('an address names what is open beside the page', () => {
  expect(readPlace('#session/42')).toEqual({ kind: 'session', name: '42' })
  expect(readPlace('#volume/a.b-1')).toEqual({ kind: 'volume', name: 'a.b-1' })
  expect(readPlace('#volume/50%')).toEqual({ kind: 'volume', name: '50%' })
  expect([readPlace('#volumes'), readPlace(''), readPlace('#session/')]).toEqual([null, null, null])
})

test('a size is a number and its unit', () => {
  expect(bytesOf({ number: '1.5', unit: 'GiB' })).toBe(1.5 * 1024 ** 3)
  expect([bytesOf({ number: '', unit: 'GiB' }), bytesOf({ number: '-1', unit: 'GiB' })]).toEqual([
    null,
    null,
  ])
  expect(sizeOf(3 * 1024 ** 4)).toEqual({ number: '3', unit: 'TiB' })
  expect(sizeOf(1.5 * 1024 ** 3)).toEqual({ number: '1536', unit: 'MiB' })
})

test('of a long table the rows in view are drawn, and a few around them', () => {
  expect(rowsInView(10_000, 40, 0, 480)).toEqual({ first: 0, end: 18 })
  expect(rowsInView(10_000, 40, 40_000, 480)).toEqual({ first: 994, end: 1018 })
  expect(rowsInView(3, 40, 40_000, 120)).toEqual({ first: 0, end: 3 })
})

test('in how many copies a volume is kept is said, and who lacks some', () => {
  const lane = (inSync: string[], state: 'whole' | 'degraded' | 'lastCopy' | 'unavailable') => ({
    ...{ lane: 0, slice: 0, primary: 'm1', epoch: 1, inSync, wanted: ['m1', 'm2'], state },
  })
  const whole = lane(['m1', 'm2'], 'whole')
  const last = lane(['m1'], 'lastCopy')
  expect(copiesSaid({ lanes: [whole, whole] })).toBe('2 copies of each slice, all in sync.')
  expect(lackingSaid({ lanes: [whole] })).toBe('')
  const lanes = [whole, last, last]
  expect(copiesSaid({ lanes })).toBe('2 copies of each slice; of 3 slices 2 with one copy left.')
  expect(lackingSaid({ lanes })).toBe('Not in sync: 2 slices at m2.')
  const only = { ...last, wanted: ['m1'], state: 'whole' as const }
  expect(copiesSaid({ lanes: [only] })).toBe('1 copy of each slice.')
})
