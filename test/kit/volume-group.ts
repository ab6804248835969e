// A group of members with the data path alone (links, primary, gateway) over the simulated network, coordinator and time,
// and a store that makes writes durable late, in order, and loses at a crash what was not.
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination } from '../../sim/coordinator.ts'
import { SimNet } from '../../sim/net.ts'
import { Timeline } from '../../sim/timeline.ts'
import {
  type Epoch,
  epoch,
  type Generation,
  generation,
  type MemberId,
  memberId,
  type Revision,
  type SessionId,
  type SliceId,
  sessionId,
  sliceId,
  type VolumeId,
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
import type { Incoming } from '../../src/peer/incoming.ts'
import { PeerLinks } from '../../src/peer/links.ts'
import type { Json } from '../../src/peer/message.ts'
import { encodeAllocation, readQuestion } from '../../src/slice/allocation.ts'
import { laneOf } from '../../src/slice/lanes.ts'
import { PeerRequests } from '../../src/slice/peer-requests.ts'
import type { SliceStore } from '../../src/slice/slice-store.ts'
import { Slices } from '../../src/slice/slices.ts'
import type { StoreWrite } from '../../src/store/record.ts'
import type { Admitted, Reservation } from '../../src/store/room.ts'
import { Gateway } from '../../src/volume/gateway.ts'

const BLOCK = 4096

/** What survives a crash. */
export class DurableBlocks {
  readonly blocks = new Map<string, Uint8Array>()
  /** By block: its slice. */
  readonly slices = new Map<string, number>()
  readonly operations = new Map<string, Set<number>>()
  /** How often each operation was applied, for the judge. */
  readonly applied = new Map<string, number>()
}

export class LateStore implements SliceStore {
  readonly #durable: DurableBlocks
  readonly #clock: SimClock
  readonly #prng: Prng
  #lastMs = 0
  /** One way through, in ms. */
  delayMs: readonly [number, number] = [0.1, 3]

  constructor(durable: DurableBlocks, clock: SimClock, prng: Prng) {
    this.#durable = durable
    this.#clock = clock
    this.#prng = prng
  }

  async promise(): Promise<'done'> {
    return 'done'
  }

  promisedEpoch(): Epoch {
    return epoch(0)
  }

  read(volume: VolumeId, offset: number, into: Uint8Array): 'done' | Promise<'done'> {
    const now = this.readNow(volume, offset, into)
    if (now === 'done') return now
    return new Promise((resolve) => {
      this.#clock.after(this.#prng.unit() * 4, () => resolve(this.#read(volume, offset, into)))
    })
  }

  readNow(volume: VolumeId, offset: number, into: Uint8Array): 'done' | 'later' {
    return this.#prng.chance(0.7) ? this.#read(volume, offset, into) : 'later'
  }

  /** As a store whose blocks are not at home. */
  checksums(): null {
    return null
  }

  #read(volume: VolumeId, offset: number, into: Uint8Array): 'done' {
    for (let at = 0; at < into.length; ) {
      const within = (offset + at) % BLOCK
      const length = Math.min(BLOCK - within, into.length - at)
      const block = this.#durable.blocks.get(`${volume}:${offset + at - within}`)
      into.fill(0, at, at + length)
      if (block !== undefined) into.set(block.subarray(within, within + length), at)
      at += length
    }
    return 'done'
  }

  holds(_range: Parameters<SliceStore['holds']>[0]): boolean {
    return true
  }

  admit(write: Admitted): Reservation {
    return { blocks: 0, write }
  }

  write(write: StoreWrite): Promise<'done'> {
    const before = write.data?.slice() ?? null
    const [low, high] = this.delayMs
    const now = this.#clock.nowMs()
    this.#lastMs = Math.max(this.#lastMs, now + low + this.#prng.unit() * (high - low))
    return new Promise((resolve, reject) => {
      this.#clock.after(this.#lastMs - now, () => {
        if (before !== null && write.data?.every((byte, i) => byte === before[i]) !== true) {
          reject(new Error('the data of a write changed before it was durable'))
          return
        }
        this.#apply(write)
        resolve('done')
      })
    })
  }

  #apply(write: StoreWrite): void {
    const { offset, bytes, data, edges, number, ...of } = write
    const { operations, applied } = this.#durable
    if (offset % BLOCK !== 0 || bytes % BLOCK !== 0) throw new Error('not whole blocks')
    if (data === null) this.#unmap(write)
    for (let at = 0; at < (data?.length ?? 0); at += BLOCK) {
      this.#put(write, offset + at, data?.slice(at, at + BLOCK) ?? null)
    }
    this.#put(write, offset - BLOCK, edges?.head ?? null)
    this.#put(write, offset + bytes, edges?.tail ?? null)
    const window = `${of.session}:${of.gen}:${of.slice}`
    const known = operations.get(window) ?? new Set()
    operations.set(window, known.add(number))
    const name = `${window}:${number}`
    applied.set(name, (applied.get(name) ?? 0) + 1)
  }

  #put({ volume, slice }: StoreWrite, offset: number, bytes: Uint8Array | null): void {
    if (bytes === null) return
    this.#durable.blocks.set(`${volume}:${offset}`, bytes)
    this.#durable.slices.set(`${volume}:${offset}`, slice)
  }

  /** What the slice has of the range. */
  #unmap({ volume, slice, offset, bytes }: StoreWrite): void {
    const { blocks, slices } = this.#durable
    for (const [key, at] of slices) {
      const [of, from = 0] = key.split(':').map(Number)
      if (of !== volume || at !== slice || from < offset || from >= offset + bytes) continue
      blocks.delete(key)
      slices.delete(key)
    }
  }

  async makeRoom(): Promise<boolean> {
    return false
  }

  hasLost(): boolean {
    return false
  }

  remembered(session: SessionId, gen: Generation, slice: SliceId, number: number): boolean {
    return this.#durable.operations.get(`${session}:${gen}:${slice}`)?.has(number) === true
  }

  acknowledge(session: SessionId, gen: Generation, slice: SliceId, upTo: number): void {
    const known = this.#durable.operations.get(`${session}:${gen}:${slice}`)
    for (const operation of known ?? []) if (operation <= upTo) known?.delete(operation)
  }

  rememberedSessions(): SessionId[] {
    return [...this.#durable.operations.keys()].map((key) => sessionId(Number.parseInt(key, 10)))
  }

  forgetSession(session: SessionId): void {
    for (const key of this.#durable.operations.keys()) {
      if (key.startsWith(`${session}:`)) this.#durable.operations.delete(key)
    }
  }

  async held({ volume, slices, from, to, most }: Parameters<SliceStore['held']>[0]) {
    const extents: [number, number][] = []
    for (const [key, slice] of this.#durable.slices) {
      const [of, at = 0] = key.split(':').map(Number)
      if (of === volume && slices.has(sliceId(slice)) && at >= from && at < to)
        extents.push([at, at + BLOCK])
    }
    extents.sort(([a], [b]) => a - b)
    return { upTo: extents[most]?.[0] ?? to, extents: extents.slice(0, most) }
  }

  volumes(): VolumeId[] {
    return [
      ...new Set([...this.#durable.blocks.keys()].map((key) => volumeId(Number.parseInt(key, 10)))),
    ]
  }

  async dropVolume(volume: VolumeId): Promise<'done'> {
    const { blocks } = this.#durable
    for (const key of blocks.keys()) if (key.startsWith(`${volume}:`)) blocks.delete(key)
    return 'done'
  }
}

export interface VolumeMember {
  readonly id: MemberId
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
  #boots = 0
  #sessions = 0

  private constructor(seed: number, names: readonly MemberId[], volume: VolumeRecord) {
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
  static async found(
    seed: number,
    options: { members?: readonly MemberId[]; slices?: number } = {},
  ): Promise<VolumeGroup> {
    const { members = [memberId('a'), memberId('b'), memberId('c')], slices = 6 } = options
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
    const world = new VolumeGroup(seed, members, volume)
    const group: GroupRecord = {
      format: RECORD_FORMAT,
      name: 'g',
      groupId: 'g',
      incarnation: 'i',
      lineage: [],
      slices,
      namingAuthority: 'iqn.2026-11.dev.evenkeel',
    }
    for (const change of foundGroup(group, members))
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
    const clock = new SimClock(this.timeline)
    const net = this.net.host(name, clock)
    const coordinator = this.coordination.handle(name)
    const durable = this.durable.get(name) ?? new DurableBlocks()
    const group = await GroupView.open(coordinator, clock)
    const store = new LateStore(durable, clock, this.prng.fork())
    this.#boots += 1
    const self = { groupId: 'g', memberId: name, bootId: `${name}-${this.#boots}` }
    const slices = new Slices({ self: name, clock, coordinator, group, store })
    const requests = new PeerRequests(slices)
    const server = {
      control: async (_from: string, kind: string, body: Json) =>
        kind === 'allocation'
          ? encodeAllocation(await slices.allocation(readQuestion(body)))
          : null,
      operation: (_from: string, request: Incoming) => requests.answer(request),
      fence: slices.fence.bind(slices),
      serving: () => slices.serving(),
    }
    const peers = new PeerLinks({ self, net, clock, addressOf, server })
    const gateway = new Gateway({ self: name, clock, group, peers, slices })
    const member = { id: name, clock, group, store, links: peers, slices, gateway }
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
