// An operator without a group, for the tests of the API and the CLI: it keeps volumes in a list and knows one session.

import type { BalancePlan, MoveWhy, RecordingPage, StayReason } from './balance-schema.ts'
import type { MemberApi } from './doors.ts'
import { refusal } from './errors.ts'
import type { MemberBrief } from './event-schema.ts'
import type { HealthProblem } from './health-schema.ts'
import { momentOf, pastOf } from './history.fixture.ts'
import type { History, Moment } from './history-schema.ts'
import type { Drain, DrainState } from './keeping-schema.ts'
import { copyOn, layout, layoutOrdered, layoutPlan, sliceCounts, tooFew } from './layout.fixture.ts'
import type { LayoutRequest } from './layout-schema.ts'
import type { Glance, HistorySpan, Operator } from './operator.ts'
import { readings } from './readings.fixture.ts'
import type { Readings } from './readings.ts'
import { answered, type Outcome } from './refusals.ts'
import type {
  Balance,
  BalanceMode,
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

const AT = '2026-11-24T00:00:00.000Z'

const load: MemberLoad = {
  ...{ reportAgeMs: 400, utilisation: 0.31, cpu: 0.3, hostCpu: 0.5, eventLoop: 0.33 },
  eventLoopDelayMs: 0.4,
  memoryBytes: 90_000_000,
  diskLatencyMs: 0.8,
  diskQueue: 1.5,
  resource: 'network',
  networkBytesPerSecond: 4_000_000,
  networkBitsPerSecond: 1e9,
  iops: 900,
  bytesPerSecond: 3_686_400,
  latencyMs: 1.1,
  forwardedShare: 0.66,
  handledIops: 20,
}

const stays: StayReason = {
  ...{ session: '42', member: 'm1', code: 'DEBT_BUILDING', to: 'm2', gain: 0.2, regret: 2 },
  ...{ owed: 5, price: 6.6, gap: 0.3, need: 0.1, until: AT },
  resource: 'cpu',
  sentence: 'session 42 stays at m1: staying has cost 2 of the 5 request-seconds.',
  options: [
    { to: 'm2', code: null, gain: 0.2, sentence: 'it would save 0.2 request-seconds each second' },
    { to: 'm3', code: 'silent', gain: null, sentence: 'm3 is silent' },
  ],
}

const end = {
  ...{ reportAgeMs: 400, capacity: 1, slow: 0.7, long: 0.6, fast: 0.8, sigma: 0.02 },
  resource: 'network',
} as const

const drainState: DrainState = {
  ...{ since: AT, left: 1, moved: 3, secondsLeft: 2, stuck: 1 },
  reasons: [
    {
      ...{ session: '42', code: 'PINNED', why: 'it is pinned by the operator' },
      action: "Unpin it ('evenkeel session unpin 42'), or pin it to another member.",
    },
  ],
}

const problem: HealthProblem = {
  code: 'MEMBER_DOWN',
  severity: 'error',
  subject: 'm2',
  since: AT,
  sentence: 'm2 does not answer: I/O to its 512 slices waits.',
  action: "See 'evenkeel log m2'.",
  volumes: { count: 12, names: ['vol1', 'vol2'] },
  sessions: { count: 1, ids: ['42'] },
}

export class OperatorInMemory implements Operator {
  /** Whether it says that nothing is wrong, to those who watch. */
  isWell = true
  /** Whether it says that nothing can have changed. */
  isStill = false
  /** What it says of m2. */
  m2: MemberBrief = { id: 'm2', state: 'silent', start: 'a', standIn: null }
  #marks = 0
  /** What it says of where its members' APIs are. */
  readonly otherApis: MemberApi[] = []
  readonly #volumes: VolumeDetail[] = []
  readonly #moves: Move[] = []
  #mode: BalanceMode = 'on'
  #placement: Balance['placement'] = 'on'
  #draining = false
  #session: Session = {
    id: '42',
    initiator: 'iqn.2005-03.org.example:host',
    isid: '800000000001',
    source: '127.0.0.1',
    volume: 'vol1',
    member: 'm1',
    state: 'live',
    pinned: null,
    since: AT,
    iops: 900,
    bytesPerSecond: 3_686_400,
    forwardedShare: 0.66,
  }

  async volumes(): Promise<readonly Volume[]> {
    return this.#volumes.map(briefly)
  }

  async history(span: HistorySpan): Promise<History> {
    return pastOf(span)
  }

  async moment(atMs: number): Promise<Moment> {
    return momentOf(atMs)
  }

  async volumesWithUsage(): Promise<readonly Volume[]> {
    const usage = { bytes: 4096, takenBytes: 8192, silent: ['m2'] }
    return this.#volumes.map((volume) => ({ ...briefly(volume), usage }))
  }

  async createVolume(request: VolumeRequest): Promise<Outcome<'createVolume', VolumeDetail>> {
    const { name, bytes, blockBytes, shared } = request
    if (this.#volumes.some((volume) => volume.name === name)) {
      return refusal('volumeExists', `a volume called ${name} exists`)
    }
    const id = String(this.#volumes.length + 1)
    const iqn = `iqn.2026-11.dev.evenkeel:g-${id}`
    const volume: VolumeDetail = {
      id,
      name,
      iqn,
      url: `iscsi://127.0.0.1:3260/${iqn}/0`,
      bytes,
      blockBytes,
      shared,
      sessions: 0,
      createdAt: AT,
      physicalBlockBytes: 4096,
      lanes: [
        { lane: 0, slice: 0, primary: 'm1', epoch: 1, ...copyOn('m1') },
        { lane: 1, slice: 1, primary: 'm2', epoch: 1, ...copyOn('m2') },
      ],
      byMember: [
        { member: 'm1', pages: 0, bytes: 0, takenBytes: 0 },
        { member: 'm2', pages: null, bytes: null, takenBytes: null },
      ],
    }
    this.#volumes.push(volume)
    return answered(volume)
  }

  async volume(name: string): Promise<Outcome<'showVolume', VolumeDetail>> {
    const volume = this.#volumes.find((one) => one.name === name)
    return volume === undefined ? noVolume(name) : answered(volume)
  }

  async changeVolume(
    name: string,
    change: VolumeChange,
  ): Promise<Outcome<'changeVolume', VolumeDetail>> {
    const index = this.#volumes.findIndex((one) => one.name === name)
    const volume = this.#volumes[index]
    if (volume === undefined) return noVolume(name)
    const { name: newName = name, bytes = volume.bytes } = change
    if (newName !== name && this.#volumes.some((one) => one.name === newName)) {
      return refusal('volumeExists', `there is a volume '${newName}' already`)
    }
    if (bytes < volume.bytes) return refusal('volumeShrinks', `${name} has ${volume.bytes} bytes`)
    const changed = { ...volume, name: newName, bytes }
    this.#volumes[index] = changed
    return answered(changed)
  }

  async deleteVolume(name: string): Promise<Outcome<'deleteVolume', Volume>> {
    const index = this.#volumes.findIndex((one) => one.name === name)
    const volume = this.#volumes[index]
    if (volume === undefined) return noVolume(name)
    if (name === this.#session.volume) return refusal('volumeInUse', `${name} has 1 session`)
    this.#volumes.splice(index, 1)
    return answered(briefly(volume))
  }

  async sessions(): Promise<readonly Session[]> {
    return [this.#session]
  }

  async session(id: string): Promise<Outcome<'showSession', SessionDetail>> {
    if (id !== this.#session.id) return refusal('sessionNotFound', `there is no session ${id}`)
    return answered({
      ...this.#session,
      generation: 1,
      queueDepth: 8,
      latencyMs: 1.1,
      load: 0.12,
      why: 'It logged in at m1 and no other member would serve it better.',
      decided: null,
      moves: [...this.#moves],
    })
  }

  async foretellMove(id: string, to: string): Promise<Outcome<'foretellMove', MovePlan>> {
    if (id !== this.#session.id) return refusal('sessionNotFound', `there is no session ${id}`)
    if (to === this.#session.member) return refusal('alreadyThere', `session ${id} is on ${to}`)
    const ends = { before: 0.3, after: 0.2 }
    const predicted = { gain: 0.1, price: 5, from: ends, to: ends }
    const sentence = `${this.#session.member} would go from 30 % to 20 %.`
    return answered({ session: id, from: this.#session.member, to, predicted, sentence })
  }

  async foretellPin(
    id: string,
    member = this.#session.member,
  ): Promise<Outcome<'foretellPin', Pin>> {
    if (id !== this.#session.id) return refusal('sessionNotFound', `there is no session ${id}`)
    const sentence = `Session ${id} would stay at ${member}.`
    return answered({ session: id, member, predicted: null, sentence })
  }

  async pinSession(id: string, request: PinRequest): Promise<Outcome<'pinSession', Pin>> {
    if (id !== this.#session.id) return refusal('sessionNotFound', `there is no session ${id}`)
    const { member = this.#session.member } = request
    this.#session = { ...this.#session, pinned: member, member }
    const sentence = `Session ${id} is pinned to ${member}.`
    return answered({ session: id, member, predicted: null, sentence })
  }

  async unpinSession(id: string): Promise<Outcome<'unpinSession', Pin>> {
    if (id !== this.#session.id) return refusal('sessionNotFound', `there is no session ${id}`)
    this.#session = { ...this.#session, pinned: null }
    const sentence = `Session ${id} is not pinned.`
    return answered({ session: id, member: null, predicted: null, sentence })
  }

  async moveSession(id: string, request: MoveRequest): Promise<Outcome<'moveSession', Move>> {
    const { to, wait } = request
    if (id !== this.#session.id) return refusal('sessionNotFound', `there is no session ${id}`)
    if (to === this.#session.member) return refusal('alreadyThere', `session ${id} is on ${to}`)
    if (to === 'm9') throw new Error('a fault that the caller must not see')
    const move: Move = {
      id: `move-${this.#moves.length + 1}`,
      session: id,
      volume: this.#session.volume,
      initiator: this.#session.initiator,
      from: this.#session.member,
      to,
      by: 'operator',
      code: 'OPERATOR',
      reason: 'an operator asked for it',
      predicted: null,
      observed: null,
      drainMs: wait ? 3.2 : null,
      pauseMs: wait ? 11.5 : null,
      resent: wait ? 0 : null,
      outcome: wait ? (to === 'm3' ? 'reclaimed' : 'returned') : null,
      cause: null,
      at: AT,
    }
    this.#moves.unshift(move)
    if (move.outcome === 'returned') this.#session = { ...this.#session, member: to }
    return answered(move)
  }

  async moves(limit: number): Promise<readonly Move[]> {
    return this.#moves.slice(0, limit)
  }

  async balance(): Promise<Balance> {
    return {
      mode: this.#mode,
      placement: this.#placement,
      imbalance: 1.2,
      members: [{ member: 'm1', utilisation: 0.31, sessions: 1 }],
      underWay: [],
      decisions: [
        {
          at: AT,
          member: 'm1',
          session: '42',
          to: 'm2',
          code: 'NO_GAIN',
          sentence: 'It would save nothing.',
        },
      ],
      policy: { kappa: 5 },
    }
  }

  async setBalance(request: BalanceRequest): Promise<Outcome<'setBalance', Balance>> {
    const { mode = this.#mode, placement = this.#placement } = request
    this.#mode = mode
    this.#placement = placement
    return answered(await this.balance())
  }

  async plan(): Promise<BalancePlan> {
    const { options: _, until: __, ...judged } = stays
    return { mode: this.#mode, moves: [{ ...judged, at: AT }], silent: ['m2'] }
  }

  async whyNot(id: string): Promise<Outcome<'whyNot', StayReason>> {
    if (id !== this.#session.id) return refusal('sessionNotFound', `there is no session ${id}`)
    return answered(stays)
  }

  async whyMoved(id: string): Promise<Outcome<'whyMoved', MoveWhy>> {
    const move = this.#moves.find((one) => one.id === id)
    if (move === undefined) return refusal('moveNotFound', `there is no move ${id} on record`)
    if (move.to === 'm3') return refusal('decisionNotKept', `move ${id} was made by hand`)
    const { gain, regret, price, gap, need, options } = stays
    return answered({
      ...{ move: id, session: move.session, at: AT, urgent: false, resource: 'network' },
      ...{ from: { ...end, member: move.from }, to: { ...end, member: move.to, slow: 0.2 } },
      ...{ weight: { here: 0.17, there: 0.12 }, share: { here: 0.1, there: 0.5 } },
      ...{ gain, regret, price, gap, need, sentence: 'It pays back in 3 s.', options },
    })
  }

  /** Of two sessions, one entry a page; m1 has thirty, and m2 is silent. */
  async recording(member: string, after: number): Promise<Outcome<'showRecording', RecordingPage>> {
    if (member === 'm2') return refusal('memberSilent', 'm2 does not answer')
    if (member !== 'm1') return refusal('memberNotFound', `there is no member '${member}'`)
    const n = after + 1
    const none = { slow: [0.3], fast: [0.3], sigma: [0.01], capacity: [1], base: [0.1] }
    const sessions: RecordingPage['entries'][number]['sessions'] = [
      [42, [0.12], [0.03], 0.5, []],
      [43, [0.1], [0.02], 0.2, [['m1', 0.6]]],
    ]
    const entries = [{ n, atMs: Date.parse(AT) + n * 10_000, ...none, sessions }]
    return answered({ member, everySeconds: 10, entries, next: n < 30 ? n : null })
  }

  async drain(member: string): Promise<Outcome<'showDrain', Drain>> {
    if (member === 'm2') return refusal('memberSilent', 'm2 does not answer')
    if (member !== 'm1') return refusal('memberNotFound', `there is no member ${member}`)
    const sentence = 'm1 would give its 1 session to the other members.'
    return answered({ member, draining: this.#draining, state: drainState, sentence })
  }

  async beginDrain(member: string): Promise<Outcome<'beginDrain', Drain>> {
    if (member === 'm2') return refusal('lastMember', 'no member but m2 takes sessions')
    if (member !== 'm1') return refusal('memberNotFound', `there is no member ${member}`)
    this.#draining = true
    const sentence = 'm1 is being drained: 1 session left.'
    return answered({ member, draining: true, state: drainState, sentence })
  }

  async endDrain(member: string): Promise<Outcome<'endDrain', Drain>> {
    if (member !== 'm1') return refusal('memberNotFound', `there is no member ${member}`)
    this.#draining = false
    return answered({ member, draining: false, state: null, sentence: 'm1 takes sessions again.' })
  }

  async members(): Promise<readonly Member[]> {
    return [
      {
        id: 'm1',
        state: 'up',
        portal: '127.0.0.1:3260',
        standIn: null,
        api: 'http://127.0.0.1:3259',
        draining: this.#draining,
        drain: this.#draining ? drainState : null,
        sessions: 1,
        slices: 512,
        copies: 512,
        pid: 7,
        version: '0.1.0',
        usedBytes: 1024,
        freeBytes: 2048,
        load: { utilisation: 0.31, resource: 'network', networkBitsPerSecond: 1e9 },
        cache: { bytes: 8192, mostBytes: 65_536, hits: 3, misses: 1 },
        tombstones: { runs: 5, atMost: 16_384 },
      },
      {
        id: 'm2',
        state: 'silent',
        portal: '127.0.0.1:3261',
        standIn: { member: 'm1', since: AT },
        api: 'http://127.0.0.1:3263',
        draining: false,
        drain: null,
        sessions: 0,
        slices: 512,
        copies: 512,
        pid: null,
        version: null,
        ...{ usedBytes: null, freeBytes: null, load: null, cache: null },
        tombstones: null,
      },
    ]
  }

  async top(): Promise<Top> {
    return {
      at: AT,
      members: [
        { id: 'm1', state: 'up', sessions: 1, load },
        { id: 'm2', state: 'silent', sessions: 0, load: null },
      ],
      sessions: [{ ...this.#session, queueDepth: 8, latencyMs: 1.1, load: 0.12 }],
    }
  }

  readonly layout = async () => layout
  readonly layoutPlan = async ({ copies: wanted = 1 }: LayoutRequest) =>
    answered({ ...layoutPlan, wanted })

  readonly applyLayout = async ({ copies: wanted = 1 }: LayoutRequest) =>
    wanted > 2 ? tooFew(wanted) : answered({ ...layoutOrdered, wanted })

  async status(): Promise<Status> {
    return {
      group: 'g',
      member: 'm1',
      version: '0.1.0',
      health: 'error',
      problems: [problem],
      coordination: 'up',
      balance: this.#mode,
      placement: 'on',
      members: [...(await this.members())],
      slices: sliceCounts,
      volumes: { count: this.#volumes.length, bytes: 0, allocatedBytes: 0 },
      sessions: 1,
      moves: { underWay: 0, done: this.#moves.length },
    }
  }

  mark(): string {
    this.#marks += 1
    return this.isStill ? 'still' : String(this.#marks)
  }

  glance(): Glance {
    const { id, initiator, source, volume, member, pinned } = this.#session
    return {
      members: [{ id: 'm1', state: 'up', start: 'a', standIn: null }, this.m2],
      sessions: [{ id, initiator, source, volume, member, pinned }],
      balance: { mode: this.#mode, placement: this.#placement, policy: { kappa: 5 } },
    }
  }

  problems() {
    return this.isWell ? [] : [problem]
  }

  apis() {
    return { group: 'g', members: [...this.otherApis] }
  }

  health(): Health {
    const ok = this.#mode !== 'off'
    const problems = ok ? [] : [problem]
    return {
      ok,
      health: ok ? 'ok' : 'error',
      member: 'm1',
      version: '0.1.0',
      uptimeSeconds: 3,
      problems,
      sessions: 1,
      load,
    }
  }

  readings(): Readings {
    return { ...readings, problems: [problem], balance: this.#mode }
  }
}

function briefly(detail: VolumeDetail): Volume {
  const { physicalBlockBytes: _, lanes: __, byMember: ___, ...volume } = detail
  return volume
}

function noVolume(name: string) {
  return refusal('volumeNotFound', `there is no volume ${name}`)
}
