// The faults of one simulation: moves by hand at random times, and what breaks meanwhile (the faults of
// move-model.mjs): crashes, pauses to 10 s, cuts that drop or stick, a coordinator that is slow, away or loses answers,
// hosts of initiators that die. `heal` ends them all.
import type { MemberId } from '../src/base/ids.ts'
import type { Prng } from '../src/base/prng.ts'
import { keys } from '../src/group/record.ts'
import { carrierOf } from '../src/target/live-session.ts'
import type { TargetEvent } from '../src/target/target-event.ts'
import { type FolderFault, FolderFaults } from './folders.ts'
import type { SimGroup, SimMember } from './group.ts'
import { LostRecord } from './lost-record.ts'
import { Relocations } from './relocations.ts'
import type { SimHost, Workload } from './workload.ts'

const CALM_CHANCE = 0.08
/** Once in so many simulations the group record is lost, which ends everything else for a while. */
const RECORD_LOST_CHANCE = 0.2
/** The volumes were made without the API, which would have waited until a member's copy of the record has them. */
const RECORD_COPIED_MS = 1_500
const STOP_EVERY_MS = 12_000
const COPY_BY_MS = 5_000
const RESET_CHANCE = 0.3
const RESET_WITHIN_MS = 1_000
const sure = { lateChance: 0, loseRequestChance: 0, loseAnswerChance: 0 }

type Fault =
  | 'crash'
  | 'pause'
  | 'peer cut'
  | 'initiator cut'
  | 'coordinator cut'
  | 'coordinator away'
  | 'coordinator lossy'
  | 'connection lost'
  | 'host crash'
  | 'island'
  | 'sleep'
  | 'mute'
  | 'balance off'
  | 'view'
  | 'stop'
  | FolderFault

const weighted: readonly Fault[] = [
  'crash',
  'pause',
  'pause',
  'peer cut',
  'peer cut',
  'initiator cut',
  'initiator cut',
  'coordinator cut',
  'coordinator away',
  'coordinator lossy',
  'coordinator lossy',
  'connection lost',
  'host crash',
  'island',
  'island',
  'island',
  'island',
  'sleep',
  'sleep',
  'mute',
  'balance off',
  'view',
  'view',
  'stop',
  'stop',
  'empty folder',
  'older folder',
  'older folder',
  'lost segments',
]

export class Faults {
  readonly #group: SimGroup
  readonly #workload: Workload
  readonly #prng: Prng
  readonly #untilMs: number
  readonly #gapMs: number
  readonly #moveGapMs: number
  readonly #lostRecord: LostRecord | null
  readonly #folders: FolderFaults
  #isOver = false

  /** Nothing breaks: sessions are moved, and members stop when they are told to. */
  readonly #isCalm: boolean

  constructor(
    group: SimGroup,
    workload: Workload,
    untilMs: number,
    { faults, losing = false }: { readonly faults: boolean; readonly losing?: boolean },
  ) {
    this.#group = group
    this.#workload = workload
    this.#prng = group.prng.fork()
    this.#untilMs = untilMs
    this.#gapMs = this.#prng.pick([300, 700, 1_500])
    this.#moveGapMs = this.#prng.pick([100, 300, 700, 4_000])
    this.#isCalm = this.#prng.chance(CALM_CHANCE) || !faults
    const loses = this.#prng.chance(RECORD_LOST_CHANCE) || losing
    this.#lostRecord = loses && !this.#isCalm ? new LostRecord(group) : null
    this.#folders = new FolderFaults(group, this.#prng.fork(), (ms, f) => this.#later(ms, f))
  }

  start(): void {
    this.#moveLater()
    if (this.#isCalm) {
      this.#stopLater()
      return
    }
    this.#faultLater()
    if (this.#lostRecord !== null) {
      const spanMs = this.#untilMs - this.#group.timeline.nowMs - RECORD_COPIED_MS
      const ms = RECORD_COPIED_MS + this.#prng.unit() * spanMs
      this.#later(ms, () => void this.#lostRecord?.strike())
    }
    const { relocates } = this.#group.shape
    if (relocates) new Relocations(this.#group).start((ms, f) => this.#later(ms, f))
    this.#later(this.#prng.integer(0, COPY_BY_MS), () => this.#folders.copyAll())
    const focused = this.#prng.chance(0.5)
    if (focused) this.#group.listeners.push((member, event) => this.#afterMove(member, event))
  }

  /** Ends every fault: all run, all reach all. */
  heal(): void {
    this.#isOver = true
    const { net, coordination, members, trace } = this.#group
    trace.add('*', 'heal')
    net.healAll()
    coordination.set(sure)
    for (const { id } of members) coordination.heal(id)
    this.#lostRecord?.heal()
    for (const member of members) {
      member.clock.resume()
      if (member.hasAnother) {
        if (member.isUp) member.crash('process')
        member.mountRight()
      }
      if (!member.isUp) member.start()
    }
    for (const host of this.#workload.hosts) {
      host.clock.resume()
      if (!host.isUp) host.start()
    }
  }

  #later(delayMs: number, f: () => void): void {
    this.#group.timeline.after(delayMs, () => {
      if (!this.#isOver) f()
    })
  }

  #moveLater(): void {
    this.#later(this.#prng.unit() * 2 * this.#moveGapMs, () => {
      this.#move()
      this.#moveLater()
    })
  }

  #move(): void {
    const prng = this.#prng
    const { id, member, balancer, clock } = prng.pick(this.#group.members)
    if (member === null || balancer === null || clock.paused || !clock.alive) return
    const sessions = [...member.target.registry.all()].filter((one) => carrierOf(one) !== null)
    if (sessions.length === 0) return
    const session = prng.pick(sessions)
    const to = prng.pick(this.#others(id))
    const order = this.#group.newId()
    this.#group.totals.movesOrdered += 1
    this.#group.trace.add(id, `is told to move session ${session.id} to ${to}`)
    void member.target.move(session.id, {
      id: order,
      to,
      by: 'operator',
      code: 'hand',
      reason: 'the simulation says so',
      predicted: null,
      proposal: null,
      estimate: balancer.handOver(session.id),
    })
  }

  #faultLater(): void {
    this.#later(this.#prng.unit() * 2 * this.#gapMs, () => {
      if (this.#group.timeline.nowMs < this.#untilMs) this.#strike(this.#prng.pick(weighted))
      this.#faultLater()
    })
  }

  #stopLater(): void {
    this.#later(this.#prng.unit() * STOP_EVERY_MS, () => {
      this.#stop(this.#prng.pick(this.#group.members))
      this.#stopLater()
    })
  }

  #strike(fault: Fault): void {
    const prng = this.#prng
    const { members } = this.#group
    switch (fault) {
      case 'crash':
        return this.#crash(prng.pick(members))
      case 'pause':
        return this.#pause(prng.pick(members))
      case 'peer cut': {
        const [a, b] = prng.pick(this.#pairs())
        return this.#cut(a, b)
      }
      case 'initiator cut':
        return this.#cut(prng.pick(this.#workload.hosts).plan.name, prng.pick(members).id)
      case 'coordinator cut':
        return this.#cutCoordinator(prng.pick(members).id)
      case 'coordinator away': {
        const ms = prng.integer(50, 2_000)
        this.#group.trace.add('*', `coordinator away for ${ms}`)
        return this.#group.coordination.down(ms)
      }
      case 'coordinator lossy':
        return this.#loseCalls()
      case 'connection lost': {
        const runners = this.#workload.runners
        if (runners.length > 0) prng.pick(runners).initiator?.breakConnection()
        return
      }
      case 'host crash':
        return this.#crashHost(prng.pick(this.#workload.hosts))
      case 'island':
        return this.#isolate(this.#left())
      case 'sleep':
        return this.#sleep(this.#left())
      case 'mute':
        return this.#mute(prng.pick(members))
      case 'stop':
        return this.#stop(prng.pick(members))
      case 'view':
        return this.#raiseView()
      case 'balance off': {
        this.#group.switchBalance('off')
        return this.#later(prng.integer(500, 4_000), () => this.#group.switchBalance('on'))
      }
      case 'empty folder':
      case 'older folder':
      case 'lost segments':
        // A record that is recovered knows folders as they were a second ago at most; one thing at a time.
        if (this.#lostRecord === null) this.#folders.strike(fault)
        return
      default:
        fault satisfies never
    }
  }

  #others(id: MemberId): readonly MemberId[] {
    return this.#group.shape.members.filter((one) => one !== id)
  }

  #pairs(): readonly (readonly [MemberId, MemberId])[] {
    const { members } = this.#group.shape
    return members.flatMap((a, at) => members.slice(at + 1).map((b) => [a, b] as const))
  }

  /** As a growth does, but that there is no size of which initiators are told (V9 of slice/slices.ts). */
  #raiseView(): void {
    const { members, volumes, operator, trace } = this.#group
    const { id } = this.#prng.pick(volumes)
    for (const { member } of members) {
      const record = member?.group.volumes.get(id)
      const rev = member?.group.volumeRevs.get(id)
      if (record === undefined || rev === undefined) continue
      const key = keys.volume(id)
      const value = JSON.stringify({ ...record, view: record.view + 1 })
      trace.add('*', `view ${record.view + 1} of volume ${id}`)
      const change = { compare: [{ key, rev }], put: [{ key, value }] }
      return void operator.txn(change)
    }
  }

  /** Right after a commit the moved session is between two members: what breaks now finds it open. */
  #afterMove(from: SimMember, event: TargetEvent): void {
    if (this.#isOver || event.kind !== 'move' || event.end.kind !== 'committed') return
    if (!this.#prng.chance(0.2)) return
    const to = this.#group.member(event.to)
    const record = this.#group.records().find(({ id }) => id === event.session)?.record
    const host = this.#workload.hosts.find(({ plan }) =>
      record?.initiator.endsWith(`:${plan.name}`),
    )
    this.#later(this.#prng.unit() * 3, () => {
      const what = this.#prng.integer(0, 4)
      if (what === 0) this.#crash(to)
      else if (what === 1) this.#crash(from)
      else if (what === 2) this.#pause(to)
      else if (what === 3 && host !== undefined) this.#cut(host.plan.name, to.id)
      else if (host !== undefined) this.#crashHost(host)
    })
  }

  #crash(member: SimMember): void {
    if (!member.isUp) return
    member.crash(this.#prng.chance(0.5) ? 'power' : 'process')
    this.#later(this.#prng.integer(20, 3_000), () => {
      if (!member.isUp) member.start()
    })
  }

  /** It answers what it accepted, tells its initiators to come back, and starts anew after a while. */
  #stop(member: SimMember): void {
    if (member.member === null || !member.isUp || member.clock.paused) return
    member.stop(this.#prng.integer(100, 3_000))
  }

  #pause(member: SimMember): void {
    const { clock } = member
    if (!member.isUp || clock.paused) return
    const ms = this.#prng.chance(0.6)
      ? this.#prng.integer(20, 1_500)
      : this.#prng.integer(1_500, 10_000)
    this.#group.trace.add(member.id, `pauses for ${ms}`)
    this.#group.totals.pauses += 1
    clock.pause()
    this.#resetSoon()
    this.#later(ms, () => clock.resume())
  }

  #cut(a: string, b: string): void {
    const { net, trace, totals } = this.#group
    const mode = this.#prng.pick(['drop', 'stick'] as const)
    const ms = this.#prng.chance(0.5)
      ? this.#prng.integer(20, 1_500)
      : this.#prng.integer(1_500, 8_000)
    trace.add('*', `cut ${a} ${b} ${mode} for ${ms}`)
    totals.cuts += 1
    const isOneWay = this.#prng.chance(0.3)
    if (isOneWay) net.cutOneWay(a, b, mode)
    else net.cut(a, b, mode)
    this.#resetSoon()
    this.#later(ms, () => net.heal(a, b))
  }

  /** A member whose initiators go elsewhere when they lose it, if there is one: those were moved to it. */
  #left(): SimMember {
    const { members } = this.#group
    const away = this.#workload.runners.flatMap(({ initiator, portal }) =>
      members.filter(({ id }) => id !== portal && initiator?.address.startsWith(`${id}:`)),
    )
    return this.#prng.pick(away.length > 0 ? away : members)
  }

  /** Its initiators go elsewhere while what they had under way here still waits for a primary. */
  #isolate({ id }: SimMember): void {
    const { net, trace, totals } = this.#group
    const ms = this.#prng.integer(2_000, 7_000)
    trace.add('*', `${id} is an island for ${ms}`)
    totals.cuts += 1
    const others = this.#others(id)
    const away = this.#prng.chance(0.5) ? others : [this.#prng.pick(others)]
    const names = [...away, ...this.#workload.hosts.map(({ plan }) => plan.name)]
    for (const name of names) net.cut(id, name, 'drop')
    this.#resetSoon()
    this.#later(ms, () => {
      for (const name of away) net.heal(id, name)
    })
    this.#later(ms + this.#prng.integer(0, 2_000), () => {
      for (const name of names) net.heal(id, name)
    })
  }

  /** Somebody resets the logical unit while what is under way at this member, or on its way to it, does not come to an end. */
  #resetSoon(): void {
    if (!this.#prng.chance(RESET_CHANCE)) return
    this.#later(this.#prng.unit() * RESET_WITHIN_MS, () => {
      const { runners } = this.#workload
      if (runners.length > 0) void this.#prng.pick(runners).reset()
    })
  }

  /** It sleeps over what its initiators sent; meanwhile they go elsewhere and the primaries start anew. */
  #sleep(member: SimMember): void {
    const { clock } = member
    if (!member.isUp || clock.paused) return
    const ms = this.#prng.integer(3_500, 9_000)
    this.#group.trace.add(member.id, `sleeps for ${ms}`)
    this.#group.totals.pauses += 1
    clock.pause()
    this.#later(ms, () => clock.resume())
    for (const other of this.#group.members) {
      if (other === member || this.#prng.chance(0.65)) continue
      this.#later(ms - this.#prng.integer(100, 900), () => this.#crash(other))
    }
  }

  /** It carries out what others ask and they do not hear of it; then it crashes, and is asked again. */
  #mute(member: SimMember): void {
    const { net, trace, totals } = this.#group
    trace.add(member.id, 'is mute')
    totals.cuts += 1
    const others = this.#others(member.id)
    for (const id of others) net.cutOneWay(member.id, id, 'drop')
    this.#later(this.#prng.integer(20, 700), () => {
      this.#crash(member)
      for (const id of others) net.healOneWay(member.id, id)
    })
  }

  #cutCoordinator(id: MemberId): void {
    const { coordination, trace } = this.#group
    const mode = this.#prng.pick(['drop', 'hold'] as const)
    const ms = this.#prng.integer(50, 4_000)
    trace.add('*', `coordinator cut ${id} ${mode} for ${ms}`)
    coordination.cut(id, mode)
    this.#later(ms, () => coordination.heal(id))
  }

  #loseCalls(): void {
    const { coordination, trace } = this.#group
    const prng = this.#prng
    coordination.set({
      lateChance: prng.pick([0, 0.05, 0.3]),
      loseRequestChance: prng.pick([0, 0.05, 0.12]),
      loseAnswerChance: prng.pick([0, 0.12, 0.3]),
    })
    trace.add('*', 'coordinator lossy')
    this.#later(prng.integer(200, 5_000), () => coordination.set(sure))
  }

  #crashHost(host: SimHost): void {
    if (!host.isUp) return
    host.crash(this.#prng.chance(0.5) ? 'power' : 'process')
    const ms = this.#prng.chance(0.6) ? this.#prng.integer(20, 2_000) : 30_000
    this.#later(ms, () => {
      if (!host.isUp) host.start()
    })
  }
}
