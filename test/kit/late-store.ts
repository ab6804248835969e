// A store in virtual time that makes writes durable late, in order, and loses at a crash what was not.
import type { SimClock } from '../../sim/clock.ts'
import {
  type Epoch,
  epoch,
  type Generation,
  generation,
  type SessionId,
  type SliceId,
  sessionId,
  sliceId,
  type VolumeId,
  volumeId,
} from '../../src/base/ids.ts'
import type { Prng } from '../../src/base/prng.ts'
import { PAGE_BYTES } from '../../src/base/sizes.ts'
import { checksumsOf } from '../../src/peer/frames.ts'
import type { SliceStore } from '../../src/slice/slice-store.ts'
import type { InstalledPage } from '../../src/store/installed.ts'
import type { OperationWindow } from '../../src/store/operations.ts'
import { type PageCopy, type PageParts, wholeOf } from '../../src/store/page-copy.ts'
import type { ReadResult } from '../../src/store/page-reader.ts'
import type { PageVersion } from '../../src/store/pages.ts'
import type { StoreWrite } from '../../src/store/record.ts'
import type { Admitted, Reservation } from '../../src/store/room.ts'
import type { Stamp } from '../../src/store/stamp.ts'

const BLOCK = 4096
const PAGE_BLOCKS = PAGE_BYTES / BLOCK

/** What survives a crash. */
export class DurableBlocks {
  readonly blocks = new Map<string, Uint8Array>()
  /** By block: its slice. */
  readonly slices = new Map<string, number>()
  readonly operations = new Map<string, Set<number>>()
  /** How often each operation was applied, for the judge. */
  readonly applied = new Map<string, number>()
  /** By page, of its newest change; a page without blocks is a tombstone. */
  readonly stamps = new Map<string, Stamp & { readonly slice: number }>()
  readonly promises = new Map<SliceId, Epoch>()
}

export class LateStore implements SliceStore {
  readonly #durable: DurableBlocks
  readonly #clock: SimClock
  readonly #prng: Prng
  #lastMs = Number.NEGATIVE_INFINITY
  /** One way through, in ms. */
  delayMs: readonly [number, number] = [0.1, 3]
  /** Its disk has no room to write home (GC3 of store/commit-queue.ts). */
  isFull = false
  /** Where the next write finds no room, that one alone and what comes behind it until that is told (GC6 of store/commit-queue.ts). */
  refusesAt: number | null = null
  readonly #refusing = new Set<SliceId>()
  /** Pages of which blocks cannot be read, until they are installed; with a third number, that block alone. */
  readonly damaged = new Set<string>()

  constructor(durable: DurableBlocks, clock: SimClock, prng: Prng) {
    this.#durable = durable
    this.#clock = clock
    this.#prng = prng
  }

  promise(epochs: ReadonlyMap<SliceId, Epoch>): Promise<'done' | 'full'> {
    if (this.isFull) return Promise.resolve('full')
    return this.#later(() => {
      for (const [slice, of] of epochs)
        this.#durable.promises.set(slice, epoch(Math.max(of, this.promisedEpoch(slice))))
    })
  }

  promisedEpoch(slice: SliceId): Epoch {
    return this.#durable.promises.get(slice) ?? epoch(0)
  }

  read(volume: VolumeId, offset: number, into: Uint8Array): ReadResult | Promise<ReadResult> {
    const now = this.readNow(volume, offset, into)
    if (now !== 'later') return now
    return new Promise((resolve) => {
      this.#clock.after(this.#prng.unit() * 4, () => resolve(this.#read(volume, offset, into)))
    })
  }

  readNow(volume: VolumeId, offset: number, into: Uint8Array): ReadResult | 'later' {
    return this.#prng.chance(0.7) ? this.#read(volume, offset, into) : 'later'
  }

  /** As a store whose blocks are not at home. */
  checksums(): null {
    return null
  }

  #read(volume: VolumeId, offset: number, into: Uint8Array): ReadResult {
    const page = Math.floor(offset / PAGE_BYTES)
    const first = Math.floor((offset % PAGE_BYTES) / BLOCK)
    const last = Math.floor(((offset % PAGE_BYTES) + into.length - 1) / BLOCK)
    for (let block = first; block <= last; block += 1)
      if (this.#isLost(volume, page, block)) return 'damaged'
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

  write(write: StoreWrite): Promise<'done' | 'full'> {
    if (this.isFull || this.#refusing.has(write.slice)) return Promise.resolve('full')
    if (write.offset === this.refusesAt) return this.#refuse(write.slice)
    const before = write.data?.slice() ?? null
    return this.#later(() => {
      if (before !== null && write.data?.every((byte, i) => byte === before[i]) !== true)
        throw new Error('the data of a write changed before it was durable')
      this.#apply(write)
    })
  }

  #refuse(slice: SliceId): Promise<'full'> {
    this.refusesAt = null
    this.#refusing.add(slice)
    return new Promise((resolve) => {
      this.#clock.soon(() => {
        this.#refusing.delete(slice)
        resolve('full')
      })
    })
  }

  /** In the order in which it was handed in. */
  #later(apply: () => void): Promise<'done'> {
    const [low, high] = this.delayMs
    const now = this.#clock.nowMs()
    this.#lastMs = Math.max(this.#lastMs, now + low + this.#prng.unit() * (high - low))
    return new Promise((resolve, reject) => {
      this.#clock.after(this.#lastMs - now, () => {
        try {
          apply()
          resolve('done')
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  *versions(slice: SliceId): Generator<PageVersion> {
    for (const [key, { slice: of, epoch: at, seq }] of this.#durable.stamps) {
      if (of !== slice) continue
      const [volume = 0, page = 0] = key.split(':').map(Number)
      const isTombstone = this.#blocksOf(volumeId(volume), page).length === 0
      yield { volume: volumeId(volume), page, stamp: { epoch: at, seq }, isTombstone }
    }
  }

  foldedOf(): null {
    return null
  }

  #blocksOf(volume: VolumeId, page: number): number[] {
    return Array.from({ length: PAGE_BLOCKS }, (_, block) => block).filter((block) =>
      this.#durable.blocks.has(`${volume}:${page * PAGE_BYTES + block * BLOCK}`),
    )
  }

  stampOf(volume: VolumeId, page: number): Stamp | null {
    return this.#durable.stamps.get(`${volume}:${page}`) ?? null
  }

  async pageOf(volume: VolumeId, page: number): Promise<PageCopy | 'damaged' | null> {
    return wholeOf(await this.partsOf(volume, page))
  }

  #isLost(volume: VolumeId, page: number, block: number): boolean {
    return this.damaged.has(`${volume}:${page}`) || this.damaged.has(`${volume}:${page}:${block}`)
  }

  async partsOf(volume: VolumeId, page: number): Promise<PageParts | null> {
    const stamp = this.#durable.stamps.get(`${volume}:${page}`)
    if (stamp === undefined) return null
    const all = Array.from({ length: PAGE_BLOCKS }, (_, block) => block)
    const gone = all.filter((block) => this.#isLost(volume, page, block))
    const there = this.#blocksOf(volume, page).filter((block) => !gone.includes(block))
    const present = new Uint8Array(PAGE_BLOCKS / 8)
    const lost = new Uint8Array(PAGE_BLOCKS / 8)
    for (const block of gone) lost[block >> 3] = (lost[block >> 3] ?? 0) | (1 << (block & 7))
    const blocks = new Uint8Array(there.length * BLOCK)
    for (const [at, block] of there.entries()) {
      present[block >> 3] = (present[block >> 3] ?? 0) | (1 << (block & 7))
      const bytes = this.#durable.blocks.get(`${volume}:${page * PAGE_BYTES + block * BLOCK}`)
      if (bytes !== undefined) blocks.set(bytes, at * BLOCK)
    }
    const { epoch: of, seq } = stamp
    return {
      ...{ present, blocks, lost: gone.length > 0 ? lost : null },
      ...{ checksums: checksumsOf(blocks, 0), stamp: { epoch: of, seq } },
    }
  }

  install({ volume, slice, page, present, blocks, stamp }: InstalledPage): Promise<'done'> {
    const bytes = blocks.slice()
    return this.#later(() => {
      const name = `${volume}:${page}`
      for (const key of this.damaged)
        if (key === name || key.startsWith(`${name}:`)) this.damaged.delete(key)
      let at = 0
      for (let block = 0; block < PAGE_BLOCKS; block += 1) {
        const key = `${volume}:${page * PAGE_BYTES + block * BLOCK}`
        this.#durable.blocks.delete(key)
        this.#durable.slices.delete(key)
        if ((((present[block >> 3] ?? 0) >> (block & 7)) & 1) === 0) continue
        this.#durable.blocks.set(key, bytes.slice(at, at + BLOCK))
        this.#durable.slices.set(key, slice)
        at += BLOCK
      }
      this.#durable.stamps.set(`${volume}:${page}`, { ...stamp, slice })
    })
  }

  *operationsOf(slice: SliceId): Generator<OperationWindow> {
    for (const [key, numbers] of this.#durable.operations) {
      const [session = 0, gen = 0, of] = key.split(':').map(Number)
      if (of !== slice) continue
      yield { session: sessionId(session), gen: generation(gen), upTo: 0, numbers: [...numbers] }
    }
  }

  adopt(
    slice: SliceId,
    operations: readonly OperationWindow[],
    isInstead: boolean,
  ): Promise<'done'> {
    return this.#later(() => {
      if (isInstead) {
        for (const key of this.#durable.operations.keys())
          if (key.endsWith(`:${slice}`)) this.#durable.operations.delete(key)
      }
      for (const { session, gen, numbers } of operations) {
        const key = `${session}:${gen}:${slice}`
        const known = this.#durable.operations.get(key) ?? new Set()
        this.#durable.operations.set(key, new Set([...known, ...numbers]))
      }
    })
  }

  #apply(write: StoreWrite): void {
    const { offset, bytes, data, edges, number, ...of } = write
    const { operations, applied } = this.#durable
    if (offset % BLOCK !== 0 || bytes % BLOCK !== 0) throw new Error('not whole blocks')
    this.#stamp(write)
    if (data === null) this.#unmap(write)
    for (let at = 0; at < (data?.length ?? 0); at += BLOCK) {
      this.#put(write, offset + at, data?.slice(at, at + BLOCK) ?? null)
    }
    this.#put(write, offset - BLOCK, edges?.head ?? null)
    this.#put(write, offset + bytes, edges?.tail ?? null)
    this.acknowledge(of.session, of.gen, of.slice, of.acknowledged)
    const window = `${of.session}:${of.gen}:${of.slice}`
    const known = operations.get(window) ?? new Set()
    operations.set(window, known.add(number))
    const name = `${window}:${number}`
    applied.set(name, (applied.get(name) ?? 0) + 1)
  }

  /** Pages that it touches, and of an unmap those that have something. */
  #stamp({ volume, slice, offset, bytes, data, edges, epoch: at, seq }: StoreWrite): void {
    const first = offset - (edges?.head ? BLOCK : 0)
    const last = offset + bytes + (edges?.tail ? BLOCK : 0) - 1
    for (let page = Math.floor(first / PAGE_BYTES); page * PAGE_BYTES <= last; page += 1) {
      const isOwn = this.#blocksOf(volume, page).some(
        (block) =>
          this.#durable.slices.get(`${volume}:${page * PAGE_BYTES + block * BLOCK}`) === slice,
      )
      if (data === null && !isOwn) continue
      this.#durable.stamps.set(`${volume}:${page}`, { slice, epoch: at, seq })
    }
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

  slicesHere(): SliceId[] {
    const { stamps, operations } = this.#durable
    const of = [...stamps.values()].map(({ slice }) => slice)
    const remembered = [...operations.keys()].map((key) => Number(key.split(':')[2]))
    return [...new Set([...of, ...remembered])].map(sliceId)
  }

  dropSlice(slice: SliceId, under: Epoch): Promise<'done'> {
    return this.#later(() => {
      const { blocks, slices, stamps, operations } = this.#durable
      for (const [key, stamp] of stamps) {
        if (stamp.slice !== slice) continue
        if (stamp.epoch > under) throw new Error('dropped under an epoch that a change is beyond')
        stamps.delete(key)
      }
      for (const [key, of] of slices) if (of === slice && slices.delete(key)) blocks.delete(key)
      for (const key of operations.keys()) if (key.endsWith(`:${slice}`)) operations.delete(key)
    })
  }

  async dropVolume(volume: VolumeId): Promise<'done'> {
    const { blocks, stamps } = this.#durable
    for (const key of blocks.keys()) if (key.startsWith(`${volume}:`)) blocks.delete(key)
    for (const key of stamps.keys()) if (key.startsWith(`${volume}:`)) stamps.delete(key)
    return 'done'
  }
}
