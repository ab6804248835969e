// One group as the examples of the OpenAPI document tell of it: two members, one volume, one session, one move. Each is
// checked against its schema (openapi.test.ts).
import { DEFAULT_POLICY } from '../distribution/policy.ts'
import type { BalancePlan, MoveWhy, RecordingPage, StayReason } from './balance-schema.ts'
import { type ErrorCode, problem, SCHEMA } from './errors.ts'
import type { KeptEvents } from './event-schema.ts'
import type { HealthProblem } from './health-schema.ts'
import type { History, Moment } from './history-schema.ts'
import type { Drain } from './keeping-schema.ts'
import type { Layout, LayoutPlan, SliceCounts } from './layout-schema.ts'
import type {
  Balance,
  BalanceRequest,
  Health,
  Member,
  MemberLoad,
  Move,
  MovePlan,
  MoveRequest,
  Pin,
  PinRequest,
  Session,
  SessionDetail,
  Status,
  Top,
  Volume,
  VolumeChange,
  VolumeDetail,
  VolumeRequest,
} from './schema.ts'

const AT = '2026-11-24T09:30:00.000Z'
const INITIATOR = 'iqn.2005-03.org.example:host1'

const volume: Volume = {
  ...{ id: '1', name: 'vol1', iqn: 'iqn.2026-11.dev.evenkeel:4f1c-1' },
  url: 'iscsi://192.0.2.1:3260/iqn.2026-11.dev.evenkeel:4f1c-1/0',
  ...{ bytes: 107_374_182_400, blockBytes: 512, shared: false, sessions: 1, createdAt: AT },
}
const copyOn = (id: string) => ({ inSync: [id], wanted: [id], state: 'whole' as const })
const sliceCounts: SliceCounts = {
  ...{ count: 1024, copies: 1, whole: 1024, degraded: 0, lastCopy: 0, unavailable: 0 },
}
const volumeDetail: VolumeDetail = {
  ...volume,
  physicalBlockBytes: 4096,
  lanes: [
    { ...{ lane: 0, slice: 17, primary: 'm1', epoch: 1 }, ...copyOn('m1') },
    { ...{ lane: 1, slice: 18, primary: 'm2', epoch: 1 }, ...copyOn('m2') },
  ],
  byMember: [
    { member: 'm1', pages: 2048, bytes: 2_147_483_648, takenBytes: 2_164_260_864 },
    { member: 'm2', pages: 2040, bytes: 2_139_095_040, takenBytes: 2_155_806_720 },
  ],
}
const session: Session = {
  ...{ id: '42', initiator: INITIATOR, isid: '00023d000001', source: '192.0.2.50' },
  ...{ volume: 'vol1', member: 'm1', state: 'live', pinned: null, since: AT },
  ...{ iops: 900, bytesPerSecond: 3_686_400, forwardedShare: 0.5 },
}
const measured = { queueDepth: 8, latencyMs: 1.1, load: 0.12 }
const ends = { from: { before: 0.71, after: 0.59 }, to: { before: 0.42, after: 0.55 } }
const predicted = { gain: 0.2, price: 6.6, ...ends }
const move: Move = {
  ...{ id: 'a7Qx', session: '42', volume: 'vol1', initiator: INITIATOR, from: 'm1', to: 'm2' },
  ...{
    by: 'balance',
    code: 'MOVED',
    reason: 'it saves 0.2 request-seconds each second',
    predicted,
  },
  ...{ observed: 0.18, drainMs: 3.2, pauseMs: 11.5, resent: 0, outcome: 'returned', cause: null },
  at: AT,
}
const byHand: Move = {
  ...{ ...move, by: 'operator', reason: 'moved by the operator', predicted: null, observed: null },
}
const begun: Move = { ...byHand, drainMs: null, pauseMs: null, resent: null, outcome: null }
const sessionDetail: SessionDetail = {
  ...{ ...session, ...measured, generation: 1 },
  why: 'It logged in at m1 and no other member would serve it better.',
  decided: { at: AT, code: 'NO_GAIN', sentence: 'It would save nothing elsewhere.' },
  moves: [move],
}
const load: MemberLoad = {
  ...{ reportAgeMs: 400, utilisation: 0.71, cpu: 0.7, hostCpu: 0.8, eventLoop: 0.73 },
  ...{ eventLoopDelayMs: 0.4, memoryBytes: 90_000_000, diskLatencyMs: 0.8, diskQueue: 1.5 },
  ...{ networkBytesPerSecond: 4_000_000, iops: 900, bytesPerSecond: 3_686_400, latencyMs: 1.1 },
  ...{ forwardedShare: 0.5, handledIops: 20, resource: 'cpu', networkBitsPerSecond: null },
}
const member: Member = {
  ...{
    id: 'm1',
    state: 'up',
    portal: '192.0.2.1:3260',
    standIn: null,
    api: 'http://192.0.2.1:3259',
  },
  ...{
    draining: false,
    drain: null,
    sessions: 1,
    slices: 512,
    copies: 512,
    pid: 4711,
    version: '0.1.0',
  },
  ...{ usedBytes: 2_164_260_864, freeBytes: 500_000_000_000 },
  load: { utilisation: 0.71, resource: 'cpu', networkBitsPerSecond: null },
  cache: { bytes: 33_554_432, mostBytes: 67_108_864, hits: 120_000, misses: 4000 },
  tombstones: { runs: 5, atMost: 16_384 },
}
const draining: Drain = {
  ...{ member: 'm1', draining: true },
  state: { since: AT, left: 1, moved: 12, secondsLeft: null, stuck: 1, reasons: [] },
  sentence: 'm1 is being drained: 1 session left. None of them can leave now.',
}
const drained: Drain = {
  ...{ member: 'm1', draining: false, state: null },
  sentence: 'm1 takes sessions again. What has left does not come back by itself, but by load.',
}
const down: HealthProblem = {
  ...{ code: 'MEMBER_DOWN', severity: 'error', subject: 'm2', since: AT },
  ...{ sentence: 'm2 does not answer: I/O to its 512 slices waits.' },
  ...{ action: "See 'evenkeel log m2'.", volumes: { count: 1, names: ['vol1'] } },
  sessions: { count: 1, ids: ['42'] },
}
const broken: HealthProblem = {
  ...{ ...down, code: 'STORE_FAILED', subject: 'm1' },
  ...{ sentence: 'the store of m1 has failed: the disk answers EIO.' },
  action: 'Mend the disk, and start the member again.',
}
const health: Health = {
  ...{ ok: true, health: 'ok', member: 'm1', version: '0.1.0', uptimeSeconds: 86_400 },
  ...{ problems: [], sessions: 1, load },
}
const debt = {
  ...{ gain: 0.2, regret: 2, owed: 5, price: 6.6, gap: 0.29, need: 0.1 },
  resource: 'cpu',
} as const
const stays = {
  ...{ session: '42', member: 'm1', code: 'DEBT_BUILDING', to: 'm2', ...debt },
  sentence: 'session 42 stays at m1: staying has cost 2 of the 5 request-seconds.',
}
const options = [{ to: 'm2', code: null, gain: 0.2, sentence: 'it would save 0.2 each second' }]
const whyNot: StayReason = { ...stays, until: AT, options }
const end = {
  ...{ reportAgeMs: 400, capacity: 1, slow: 0.71, long: 0.6, fast: 0.8, sigma: 0.02 },
  resource: 'cpu',
} as const
const whyMoved: MoveWhy = {
  ...{ move: 'a7Qx', session: '42', at: AT, urgent: false, options },
  ...{ from: { ...end, member: 'm1' }, to: { ...end, member: 'm2', slow: 0.42 } },
  ...{ weight: { here: 0.12, there: 0.13 }, share: { here: 0.5, there: 0.5 } },
  resource: 'cpu',
  ...{ gain: 0.2, price: 6.6, regret: 7, gap: 0.29, need: 0.1, sentence: 'It pays back in 33 s.' },
}
const plan: BalancePlan = { mode: 'on', moves: [{ ...stays, at: AT }], silent: [] }
const movePlan: MovePlan = {
  ...{ session: '42', from: 'm1', to: 'm2', predicted },
  sentence: 'm1 would go from 71 % to 59 %, m2 from 42 % to 55 %.',
}
const pin: Pin = {
  ...{ session: '42', member: 'm2', predicted: null },
  sentence: 'Session 42 is pinned to m2: it stays there until it is unpinned.',
}
const unpinned: Pin = {
  ...{ ...pin, member: null },
  sentence: 'Session 42 is not pinned: it may be moved again.',
}
const recording: RecordingPage = {
  ...{ member: 'm1', everySeconds: 10, next: null },
  entries: [
    {
      ...{ n: 1, atMs: 1_795_512_600_000, capacity: [1], slow: [0.71], fast: [0.8] },
      ...{ sigma: [0.02], base: [0.1], sessions: [[42, [0.12], [0.03], 0.5, [['m2', 0.5]]]] },
    },
  ],
}
const balance: Balance = {
  ...{ mode: 'on', placement: 'on', imbalance: 1.26, underWay: [], policy: { ...DEFAULT_POLICY } },
  members: [
    { member: 'm1', utilisation: 0.71, sessions: 1 },
    { member: 'm2', utilisation: 0.42, sessions: 0 },
  ],
  decisions: [
    { at: AT, member: 'm1', session: '42', to: 'm2', code: stays.code, sentence: stays.sentence },
  ],
}
const sums = { bytes: volume.bytes, allocatedBytes: 4_286_578_688 }
const status: Status = {
  ...{ group: '4f1c', member: 'm1', version: '0.1.0', health: 'error', problems: [down] },
  ...{ coordination: 'up', balance: 'on', placement: 'on', members: [member], sessions: 1 },
  ...{ slices: sliceCounts, volumes: { count: 1, ...sums }, moves: { underWay: 0, done: 1 } },
}
const top: Top = {
  at: AT,
  members: [
    { id: 'm1', state: 'up', sessions: 1, load },
    { id: 'm2', state: 'silent', sessions: 0, load: null },
  ],
  sessions: [{ ...session, ...measured }],
}
const level = { copies: 1, primaries: 1 }
const layout: Layout = {
  ...{ slices: sliceCounts, evenness: { copies: 1.5, primaries: 1.5 } },
  underWay: { copies: 0, leaving: 0, primaries: 0 },
  members: ['m1', 'm2', 'm3'].map((id) => {
    const has = id === 'm3' ? 0 : 512
    return { member: id, primaries: has, copies: has, missing: 0, leaving: 0 }
  }),
}
const layoutPlan: LayoutPlan = {
  ...{ wanted: 1, copies: 341, bytes: 1_426_063_360, primaries: 341 },
  underWay: layout.underWay,
  evenness: { before: layout.evenness, after: level },
  members: [
    { member: 'm1', gives: 171, takes: 0, copies: 341, primaries: 341 },
    { member: 'm2', gives: 170, takes: 0, copies: 342, primaries: 342 },
    { member: 'm3', gives: 0, takes: 341, copies: 341, primaries: 341 },
  ],
  moves: [{ slice: 17, from: 'm1', to: 'm3' }],
}
const none = [null, null]
const history: History = {
  ...{ from: AT, stepSeconds: 60, count: 2 },
  members: [
    {
      id: 'm1',
      past: {
        ...{ utilisation: [0.7, 0.71], cpu: [0.69, 0.7], memoryBytes: none, iops: [880, 900] },
        ...{ bytesPerSecond: none, latencyMs: [1.2, 1.1], sessions: [1, 1], usedBytes: none },
      },
    },
    { id: 'm2', past: null },
  ],
  problems: [
    {
      ...{ code: 'MEMBER_DOWN', severity: 'error', subject: 'm2', sentence: down.sentence },
      ...{ action: down.action, from: AT, to: null },
    },
  ],
}
const moment: Moment = {
  at: AT,
  members: [
    {
      id: 'm1',
      past: {
        sessions: [
          { id: session.id, initiator: session.initiator, volume: session.volume, load: 0.31 },
        ],
        others: 0,
      },
    },
    { id: 'm2', past: null },
  ],
}

const kept: KeptEvents = {
  items: [
    {
      ...{ id: 'm2', state: 'silent', start: '5b0c', change: 'silent' },
      event: {
        ...{ id: '9f2c1a77-41', kind: 'member', at: AT, sentence: 'm2 is silent' },
        ...{ members: ['m2'], volume: null, session: null },
      },
    },
  ],
  ...{ last: '9f2c1a77-42', gap: false },
}

const whole = (value: object) => ({ schema: SCHEMA, ...value })
const listed = (item: object) => ({ schema: SCHEMA, items: [item] })

/** The answer of each operation that answers JSON, by its operationId; of another status than the first, with that. */
export const ANSWERS: Readonly<Record<string, object>> = {
  listVolumes: listed(volume),
  createVolume: whole(volumeDetail),
  showVolume: whole(volumeDetail),
  changeVolume: whole({ ...volumeDetail, bytes: 2 * volume.bytes }),
  deleteVolume: whole({ ...volume, sessions: 0 }),
  listSessions: { ...listed(session), next: null },
  showSession: whole(sessionDetail),
  foretellMove: whole(movePlan),
  moveSession: whole(byHand),
  foretellPin: whole({ ...pin, predicted }),
  pinSession: whole(pin),
  unpinSession: whole(unpinned),
  'moveSession 202': whole(begun),
  listMoves: { ...listed(move), next: null },
  whyNot: whole(whyNot),
  whyMoved: whole(whyMoved),
  showBalance: whole(balance),
  setBalance: whole(balance),
  showRecording: whole(recording),
  showPlan: whole(plan),
  listMembers: listed(member),
  showMember: whole(member),
  showDrain: whole(draining),
  beginDrain: whole(draining),
  endDrain: whole(drained),
  showStatus: whole(status),
  showTop: whole(top),
  showLayout: whole(layout),
  planLayout: whole(layoutPlan),
  applyLayout: whole({
    ...layoutPlan,
    underWay: { copies: 341, leaving: 341, primaries: 341 },
  }),
  showHistory: whole(history),
  showMoment: whole(moment),
  listEvents: whole(kept),
  probeMember: whole(health),
  'probeMember 503': whole({ ...health, ok: false, health: 'error', problems: [broken] }),
}

const create: VolumeRequest = { name: 'vol1', bytes: volume.bytes, blockBytes: 512, shared: false }
const grow: VolumeChange = { bytes: 2 * volume.bytes }
const moving: MoveRequest = { to: 'm2', wait: true }
const pinning: PinRequest = { member: 'm2' }
const calmer: BalanceRequest = { mode: 'on', policy: { kappa: 10 } }

/** The body of each operation that takes one. */
export const REQUESTS: Readonly<Record<string, object>> = {
  createVolume: create,
  changeVolume: grow,
  moveSession: moving,
  pinSession: pinning,
  setBalance: calmer,
  applyLayout: { copies: 1 },
}

/** What a caller sees of an error. */
export function problemExample(code: ErrorCode): object {
  return problem(code, DETAILS[code] ?? 'what was wrong with this very request')
}

const DETAILS: Partial<Record<ErrorCode, string>> = {
  badRequest: 'bytes: a volume has at least 1 MiB',
  volumeNotFound: "there is no volume 'vol7'",
  volumeInUse: "volume 'vol1' has 1 session",
  sessionNotFound: 'there is no session 7',
  memberNotFound: "there is no member 'm7'",
}
