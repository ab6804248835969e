// What does a 4 KiB operation cost at its primary, and what when another member forwards it?
//
//   sh scripts/node.sh bench/peer.ts [milliseconds per row]
//
// Two members in this process over a Unix socket, each with a store in memory that answers reads at once and makes writes
// durable at the end of the turn: the figures are of links, primary and gateway alone, both sides' CPU together.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Epoch,
  epoch,
  generation,
  type MemberId,
  memberId,
  revision,
  type SessionId,
  sessionId,
  sliceId,
  type VolumeId,
  volumeId,
} from '../src/base/ids.ts'
import type { Address } from '../src/base/net.ts'
import { RUN_BYTES } from '../src/base/sizes.ts'
import type { Coordinator } from '../src/coordination/coordinator.ts'
import type { SliceRecord, VolumeRecord } from '../src/group/record.ts'
import { keys } from '../src/group/record.ts'
import { SystemClock } from '../src/io/clock.ts'
import { SystemNet } from '../src/io/net.ts'
import { SessionCounters } from '../src/load/counters.ts'
import { PeerLinks } from '../src/peer/links.ts'
import type { GroupSlices } from '../src/slice/group-slices.ts'
import { sliceAt } from '../src/slice/lanes.ts'
import type { Outcome } from '../src/slice/outcome.ts'
import { PeerRequests } from '../src/slice/peer-requests.ts'
import type { SliceStore } from '../src/slice/slice-store.ts'
import { Slices } from '../src/slice/slices.ts'
import type { Admitted, Reservation } from '../src/store/room.ts'
import { Gateway } from '../src/volume/gateway.ts'

const BYTES = 4096
const rowMs = Number(process.argv[2] ?? 1500)
const folder = await mkdtemp(join(tmpdir(), 'bench-peer-'))

/** One run of bytes, whatever the volume and offset. */
class MemoryStore implements SliceStore {
  readonly #bytes = new Uint8Array(RUN_BYTES)
  #waiting: (() => void)[] = []

  async promise(): Promise<'done'> {
    return 'done'
  }

  promisedEpoch(): Epoch {
    return epoch(0)
  }

  read(_volume: number, offset: number, into: Uint8Array): 'done' {
    const at = offset % RUN_BYTES
    into.set(this.#bytes.subarray(at, at + into.length))
    return 'done'
  }

  readNow(volume: number, offset: number, into: Uint8Array): 'done' {
    return this.read(volume, offset, into)
  }

  checksums(): null {
    return null
  }

  stampOf(): null {
    return null
  }

  holds(): true {
    return true
  }

  admit(write: Admitted): Reservation {
    return { blocks: 0, write }
  }

  write({ offset, data }: { offset: number; data: Uint8Array | null }): Promise<'done'> {
    if (data !== null) this.#bytes.set(data, offset % RUN_BYTES)
    return new Promise((resolve) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#commit())
      this.#waiting.push(() => resolve('done'))
    })
  }

  #commit(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  versions() {
    return []
  }

  foldedOf(): null {
    return null
  }

  async partsOf(): Promise<null> {
    return null
  }

  async pageOf(): Promise<null> {
    return null
  }

  async install(): Promise<'done'> {
    return 'done'
  }

  operationsOf() {
    return []
  }

  async adopt(): Promise<'done'> {
    return 'done'
  }

  async held() {
    return { upTo: 0, extents: [] }
  }

  async makeRoom(): Promise<boolean> {
    return false
  }

  hasLost(): boolean {
    return false
  }

  remembered(): boolean {
    return false
  }
  acknowledge(): void {}
  rememberedSessions(): SessionId[] {
    return []
  }
  forgetSession(): void {}
  volumes(): VolumeId[] {
    return []
  }
  slicesHere(): [] {
    return []
  }
  async dropSlice(): Promise<'done'> {
    return 'done'
  }
  async dropVolume(): Promise<'done'> {
    return 'done'
  }
}

const slices: SliceRecord[] = ['a', 'b'].map(memberId).map((name) => ({
  epoch: epoch(2),
  primary: name,
  inSync: [name],
  want: [name],
  min: 1,
}))
const volume: VolumeRecord = {
  id: volumeId(1),
  name: 'v',
  iqn: 'iqn.2026-11.dev.evenkeel:bench-1',
  bytes: 2 * RUN_BYTES,
  blockBytes: 512,
  shared: false,
  lanes: [sliceId(0), sliceId(1)],
  view: 1,
  createdAt: '',
}
const group: GroupSlices = {
  rev: revision(10),
  slices,
  sliceRevs: [revision(1), revision(1)],
  volumes: new Map([[volume.id, volume]]),
  sessions: new Map(),
  changed: () => new Promise(() => {}),
  refresh: () => Promise.resolve(true),
}
/** Grants every epoch, as this group has it. */
const coordinator: Coordinator = {
  txn: () => Promise.resolve({ kind: 'done', rev: revision(5), read: [[]] }),
  list: () => {
    const items = slices.map((record, slice) => ({
      key: keys.slice(sliceId(slice)),
      value: JSON.stringify({ ...record, epoch: epoch(1) }),
      rev: revision(1),
      created: revision(1),
    }))
    return Promise.resolve({ kind: 'done', rev: revision(4), items })
  },
  watch: () => ({ next: () => new Promise(() => {}), close: () => {} }),
  lost: null,
  nudge: () => {},
  close: () => Promise.resolve(),
}

async function member(name: MemberId) {
  const clock = new SystemClock()
  const store = new MemoryStore()
  const served = new Slices({
    ...{ self: name, boot: name, clock, coordinator, group, store },
    peers: { link: (to) => peers.link(to), ask: (...asked) => peers.ask(...asked) },
  })
  const requests = new PeerRequests(served)
  const peers: PeerLinks = new PeerLinks({
    self: { groupId: 'bench', memberId: name, bootId: name },
    net: new SystemNet(),
    clock,
    addressOf,
    server: {
      control: () => null,
      operation: (_from, request) => requests.answer(request),
      fence: (session, gen) => served.fence(session, gen),
      serving: () => served.serving(),
    },
  })
  await peers.listen(addressOf(name))
  await served.start()
  return {
    gateway: new Gateway({ self: name, clock, group, peers, slices: served }),
    peers,
    slices: served,
  }
}

function addressOf(name: MemberId): Address {
  return { kind: 'unix', path: join(folder, name) }
}

const a = await member(memberId('a'))
const b = await member(memberId('b'))
const counters = new SessionCounters()
const origin = { session: sessionId(100), gen: generation(1) }

type Operation = (block: number, buffer: Uint8Array) => Outcome | Promise<Outcome>
const reads =
  (base: number): Operation =>
  (block, buffer) =>
    a.gateway.read(origin, volume, base + block * BYTES, buffer, counters)
const writes =
  (base: number): Operation =>
  (block, buffer) =>
    a.gateway.write(origin, volume, base + block * BYTES, buffer, counters)

async function row(what: string, depth: number, operation: Operation): Promise<void> {
  const blocks = RUN_BYTES / BYTES
  let done = 0
  let block = 0
  const latencies: number[] = []
  const worker = async (untilMs: number) => {
    const buffer = new Uint8Array(BYTES).fill(7)
    while (performance.now() < untilMs) {
      for (let i = 0; i < 16; i += 1) {
        block = (block + 1) % blocks
        const fromMs = performance.now()
        const outcome = operation(block, buffer)
        if (outcome instanceof Promise) await outcome
        latencies.push(performance.now() - fromMs)
        done += 1
      }
    }
  }
  const run = (ms: number) =>
    Promise.all(Array.from({ length: depth }, () => worker(performance.now() + ms)))
  await run(rowMs / 4)
  done = 0
  latencies.length = 0
  const cpu = process.cpuUsage()
  const fromMs = performance.now()
  await run(rowMs)
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - fromMs) / 1000
  latencies.sort((x, y) => x - y)
  const p50Us = (latencies[latencies.length >> 1] ?? 0) * 1000
  console.log(
    `${what.padEnd(16)} depth ${String(depth).padStart(3)}  ${Math.round(done / seconds)
      .toString()
      .padStart(
        9,
      )}/s  ${((user + system) / done).toFixed(2).padStart(7)} us CPU  p50 ${p50Us.toFixed(1).padStart(7)} us`,
  )
}

/** Slice 0 is at member a, and slice 1 at b. */
const [local, forwarded] = sliceAt(volume, 0) === 0 ? [0, RUN_BYTES] : [RUN_BYTES, 0]
for (const depth of [1, 32]) {
  await row('local read', depth, reads(local))
  await row('local write', depth, writes(local))
  await row('forwarded read', depth, reads(forwarded))
  await row('forwarded write', depth, writes(forwarded))
}
for (const one of [a, b]) {
  one.gateway.close()
  one.slices.close()
  await one.peers.close()
}
await rm(folder, { recursive: true })
process.exit(0)
