// A group of members with the data path alone (links, primary, gateway) over the simulated network, coordinator and time, and
// a store that is late (late-store.ts).
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination } from '../../sim/coordinator.ts'
import { SimNet } from '../../sim/net.ts'
import { Timeline } from '../../sim/timeline.ts'
import {
  type Generation,
  generation,
  type MemberId,
  memberId,
  type Revision,
  type SessionId,
  type SliceId,
  sessionId,
  sliceId,
  volumeId,
} from '../../src/base/ids.ts'
import type { Address } from '../../src/base/net.ts'
import { Prng } from '../../src/base/prng.ts'
import type { Coordinator } from '../../src/coordination/coordinator.ts'
import { GroupView } from '../../src/coordination/group-view.ts'
import { foundGroup } from '../../src/group/founding.ts'
import {
  type GroupRecord,
  keys,
  RECORD_FORMAT,
  type SessionRecord,
  type VolumeRecord,
} from '../../src/group/record.ts'
import { Controls, nothing, question } from '../../src/peer/controls.ts'
import type { Incoming } from '../../src/peer/incoming.ts'
import { PeerLinks } from '../../src/peer/links.ts'
import type { Json } from '../../src/peer/message.ts'
import { encodeAllocation, readQuestion } from '../../src/slice/allocation.ts'
import { bundle } from '../../src/slice/bundles.ts'
import {
  readActivate,
  readAligned,
  readBeacon,
  readPage,
  readPaged,
} from '../../src/slice/copy-messages.ts'
import { laneOf } from '../../src/slice/lanes.ts'
import { PeerRequests } from '../../src/slice/peer-requests.ts'
import { Slices } from '../../src/slice/slices.ts'
import { Gateway } from '../../src/volume/gateway.ts'
import { DurableBlocks, LateStore } from './late-store.ts'

export interface VolumeMember {
  readonly id: MemberId
  readonly boot: string
  readonly clock: SimClock
  readonly group: GroupView
  readonly store: LateStore
  readonly links: PeerLinks
  readonly slices: Slices
  readonly gateway: Gateway
}

export interface TestSession {
  readonly sessionId: SessionId
  readonly key: string
  gen: Generation
  rev: Revision
}

/** Lanes of a volume whose first run is on slice 0, its second on slice 1 … */
export function lanesInOrder(id: number, slices: number): readonly SliceId[] {
  const lanes = Array.from({ length: slices }, (_, i) => sliceId(i))
  const runs = lanes.map((run) => laneOf({ id: volumeId(id), lanes }, run))
  return lanes.map((lane) => sliceId(runs.indexOf(lane)))
}

const VOLUME = volumeId(1)

export interface VolumeGroupOptions {
  readonly members?: readonly MemberId[]
  readonly slices?: number
  readonly copies?: number
  readonly min?: number
  /** HO2 of slice/hand-over.ts. */
  readonly quietMs?: number
  /** Clocks run at rates up to 8 % apart from true time. */
  readonly rates?: boolean
}

export class VolumeGroup {
  readonly timeline = new Timeline()
  readonly prng: Prng
  readonly net: SimNet
  readonly coordination: SimCoordination
  /** The judge's own, which no fault hits. */
  readonly coordinator: Coordinator
  readonly clock: SimClock
  readonly names: readonly MemberId[]
  readonly members = new Map<MemberId, VolumeMember>()
  readonly durable = new Map<MemberId, DurableBlocks>()
  volume: VolumeRecord
  readonly #quietMs: number | undefined
  /** R13 of slice/tenure.ts: what becomes of a member's copy of the record. */
  recordKept: (name: MemberId) => boolean = () => true
  #boots = 0
  #sessions = 0
  /** Of their clocks. */
  readonly #rates = new Map<MemberId, number>()

  private constructor(
    seed: number,
    names: readonly MemberId[],
    volume: VolumeRecord,
    quietMs: number | undefined,
  ) {
    this.#quietMs = quietMs
    this.prng = new Prng(seed)
    this.names = names
    this.volume = volume
    this.net = new SimNet(this.timeline, this.prng.fork())
    this.clock = new SimClock(this.timeline)
    this.coordination = new SimCoordination(this.clock, this.prng.fork())
    this.coordinator = this.coordination.handle('judge')
    for (const name of names) this.durable.set(name, new DurableBlocks())
  }

  /** A group with one volume of as many lanes as slices, slice i at member i mod n. Its first run is on slice 0, its second on slice 1 … */
  static async found(seed: number, options: VolumeGroupOptions = {}): Promise<VolumeGroup> {
    const { members = [memberId('a'), memberId('b'), memberId('c')], slices = 6 } = options
    const { copies = 1, min = 1, rates = false } = options
    const volume: VolumeRecord = {
      id: VOLUME,
      name: 'v',
      iqn: 'iqn.test:v',
      bytes: 2 ** 40,
      blockBytes: 512,
      shared: true,
      lanes: lanesInOrder(1, slices),
      view: 1,
      createdAt: '',
    }
    const world = new VolumeGroup(seed, members, volume, options.quietMs)
    if (rates) for (const name of members) world.#rates.set(name, 0.92 + world.prng.unit() * 0.16)
    const group: GroupRecord = {
      format: RECORD_FORMAT,
      name: 'g',
      groupId: 'g',
      incarnation: 'i',
      lineage: [],
      slices,
      namingAuthority: 'iqn.2026-11.dev.evenkeel',
    }
    for (const change of foundGroup(group, members, { copies, min }))
      await world.finish(world.coordinator.txn(change))
    await world.finish(world.put(keys.volume(volume.id), volume))
    await world.finish(Promise.all(members.map((name) => world.boot(name))))
    return world
  }

  /** Virtual time passes until the promise settles. Several may be waited for in the same stretch. */
  async finish<T>(promise: Promise<T>): Promise<T> {
    return this.timeline.finish(promise)
  }

  async put(key: string, value: unknown): Promise<Revision> {
    const result = await this.coordinator.txn({ put: [{ key, value: JSON.stringify(value) }] })
    if (result.kind !== 'done') throw new Error(`put ${key}: ${result.kind}`)
    return result.rev
  }

  member(name: MemberId): VolumeMember {
    const member = this.members.get(name)
    if (member === undefined) throw new Error(`no member ${name}`)
    return member
  }

  isUp(name: MemberId): boolean {
    return this.members.get(name)?.clock.alive === true
  }

  crash(name: MemberId): void {
    this.net.crash(name)
    this.members.delete(name)
  }

  /** Begins a new life; settles when it serves, if it does. */
  async boot(name: MemberId): Promise<VolumeMember> {
    const clock = new SimClock(this.timeline, this.#rates.get(name) ?? 1)
    const net = this.net.host(name, clock)
    const coordinator = this.coordination.handle(name, (f) => clock.deliver(f))
    const durable = this.durable.get(name) ?? new DurableBlocks()
    const group = await GroupView.open(coordinator, clock)
    const store = new LateStore(durable, clock, this.prng.fork())
    this.#boots += 1
    const self = { groupId: 'g', memberId: name, bootId: `${name}-${this.#boots}` }
    const slices = new Slices({
      ...{ self: name, boot: self.bootId, clock, coordinator, group, store },
      peers: { link: (to) => peers.link(to), ask: (...asked) => peers.ask(...asked) },
      quietMs: this.#quietMs,
      recordKept: async () => this.recordKept(name),
    })
    const { copies } = slices
    const controls = new Controls(
      {
        allocation: question(readQuestion, async (asked) =>
          encodeAllocation(await slices.allocation(asked)),
        ),
        beacon: question(readBeacon, (beacon, from) => copies.beacon(beacon, from)),
        activate: bundle(clock, readActivate, (asked, from) => copies.activate(asked, from)),
        versions: question(readPaged, (asked) => copies.versions(asked)),
        operations: question(readPaged, (asked) => copies.operations(asked)),
        aligned: bundle(clock, readAligned, (asked) => copies.aligned(asked)),
        leaves: question(nothing, (_, from) => copies.leaves(from)),
        mend: question(readPage, (asked, from) => slices.mendCopy(asked, from)),
      },
      (_, kind, why) => {
        throw new Error(`malformed ${kind}: ${why}`)
      },
    )
    const requests = new PeerRequests(slices)
    const server = {
      control: (from: MemberId, kind: string, body: Json | Uint8Array) =>
        controls.answer(from, kind, body),
      operation: (_from: string, request: Incoming) => requests.answer(request),
      fence: slices.fence.bind(slices),
      serving: () => slices.serving(),
    }
    const peers: PeerLinks = new PeerLinks({ self, net, clock, addressOf, server })
    const gateway = new Gateway({ self: name, clock, group, peers, slices })
    const member = {
      id: name,
      boot: self.bootId,
      clock,
      group,
      store,
      links: peers,
      slices,
      gateway,
    }
    if (!clock.alive) return member
    this.members.set(name, member)
    await peers.listen(addressOf(name))
    await slices.start()
    return member
  }

  /** A first login: only the record, since no target is here. */
  async login(owner: MemberId): Promise<TestSession> {
    this.#sessions += 1
    const key = keys.session(VOLUME, 'iqn.i', `t${this.#sessions}`)
    const rev = await this.put(key, record(owner, generation(1), 'live'))
    return { sessionId: sessionId(rev), key, gen: generation(1), rev }
  }

  /** The session under a new generation at this member, or dead. */
  async raise(session: TestSession, owner: MemberId, state: 'live' | 'dead'): Promise<void> {
    session.gen = generation(session.gen + 1)
    session.rev = await this.put(session.key, record(owner, session.gen, state))
  }

  async retire(session: TestSession): Promise<void> {
    await this.coordinator.txn({ remove: [session.key] })
  }
}

function record(owner: MemberId, gen: Generation, state: 'live' | 'dead'): SessionRecord {
  const who = { volume: VOLUME, initiator: 'iqn.i', isid: '800000000000', source: 'h' }
  return { ...who, owner, gen, loginToken: `${gen}`, state, since: '' }
}

function addressOf(member: MemberId): Address {
  return { kind: 'tcp', host: member, port: 4000 }
}
