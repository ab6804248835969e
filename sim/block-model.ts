// What the programs of sim/power-cuts.ts do to a store, and what it must hold after any number of their changes: a few
// pages of two volumes, block by block, each block a number. Their first runs are on one slice, their second on another.

import {
  epoch,
  generation,
  type SliceId,
  sessionId,
  sliceId,
  type VolumeId,
  volumeId,
} from '../src/base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../src/base/sizes.ts'
import { type InstalledPage, setPresent } from '../src/store/installed.ts'
import { BLOCKS_PER_PAGE, PAGES_PER_RUN } from '../src/store/layout.ts'
import type { PageStore } from '../src/store/page-store.ts'
import type { StoreWrite } from '../src/store/record.ts'

export const PAGES = [0, 1, 16] as const
export const VOLUMES = [1, 2] as const
export const BLOCKS = VOLUMES.length * PAGES.length * BLOCKS_PER_PAGE
const SLICE_OF_FIRST_RUN = 3
export const SLICES = [sliceId(3), sliceId(4)] as const
export const SESSION = sessionId(77)
export const GENERATION = generation(1)

export interface Change {
  /**
   * `trim`: an unmap that takes a part only of its first and its last block; those are written over with the value. `install`:
   * a page, of which the blocks INSTALLED have the value, or none if that is 0.
   */
  readonly kind: 'write' | 'unmap' | 'trim' | 'drop' | 'dropSlice' | 'install'
  /** Index into the world of blocks. */
  readonly first: number
  /** In a row; it takes of them what is on `slice`, a drop of a volume takes all. 0: it has not happened. */
  readonly blocks: number
  readonly value: number
  readonly operation: number
  /** Where it stands in the order of its slice: as its operation, but an installed page may be older than what was there. */
  readonly seq: number
  readonly slice: SliceId
  /** Each drop of a slice begins the next. */
  readonly epoch: number
}

/** Places in the page. */
const INSTALLED: readonly number[] = [0, 2, 3]

export class Violation extends Error {
  override readonly name = 'Violation'
  readonly kind: 'lost' | 'torn' | 'damaged' | 'forgotten' | 'broken'

  constructor(kind: Violation['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

export function placeOf(block: number): { volume: VolumeId; offset: number } {
  const page = Math.floor(block / BLOCKS_PER_PAGE)
  const volume = volumeId(VOLUMES[Math.floor(page / PAGES.length)] ?? 0)
  const number = PAGES[page % PAGES.length] ?? 0
  return { volume, offset: number * PAGE_BYTES + (block % BLOCKS_PER_PAGE) * BLOCK_BYTES }
}

export function sliceOf(block: number): SliceId {
  const { offset } = placeOf(block)
  return sliceId(SLICE_OF_FIRST_RUN + Math.floor(offset / PAGE_BYTES / PAGES_PER_RUN))
}

/** Whether the change concerns the block. */
export function takes({ kind, first, blocks, slice }: Change, block: number): boolean {
  if (block < first || block >= first + blocks) return false
  return kind === 'drop' || sliceOf(block) === slice
}

export function writeOf(change: Change): StoreWrite {
  const { kind, first, blocks, value } = change
  const filled = (count: number) =>
    new Uint8Array(new Uint32Array((count * BLOCK_BYTES) / 4).fill(value).buffer)
  const edge = Number(kind === 'trim')
  const { volume, offset } = placeOf(first)
  // Of an unmap over several pages, others that nobody writes to lie between them.
  const end = placeOf(first + blocks - 1).offset + BLOCK_BYTES
  return {
    volume,
    offset: offset + edge * BLOCK_BYTES,
    bytes: end - offset - 2 * edge * BLOCK_BYTES,
    data: kind === 'write' ? filled(blocks) : null,
    edges: kind === 'trim' ? { head: filled(1), tail: filled(1) } : null,
    slice: change.slice,
    epoch: epoch(change.epoch),
    seq: change.seq,
    session: SESSION,
    gen: GENERATION,
    number: change.operation,
    acknowledged: 0,
  }
}

/** Each block's value; every word of a block must say the same. */
export async function readBlocks(
  store: PageStore,
  first: number,
  blocks: number,
): Promise<Int32Array> {
  const { volume, offset } = placeOf(first)
  const bytes = new Uint8Array(blocks * BLOCK_BYTES)
  const result = await store.read(volume, offset, bytes)
  if (result !== 'done') throw new Violation('damaged', `page of block ${first} reads as damaged`)
  const words = new Uint32Array(bytes.buffer)
  const perBlock = BLOCK_BYTES / 4
  const values = new Int32Array(blocks)
  for (let block = 0; block < blocks; block += 1) {
    const end = (block + 1) * perBlock
    const value = words[block * perBlock] ?? 0
    for (let i = block * perBlock; i < end; i += 1) {
      if (words[i] !== value) throw new Violation('torn', `block ${first + block} is torn`)
    }
    values[block] = value
  }
  return values
}

export function applyTo(state: Int32Array, change: Change): void {
  const { first, blocks } = change
  for (let block = first; block < first + blocks; block += 1) {
    if (takes(change, block)) state[block] = valueIn(change, block)
  }
}

/** By page: the number of its last change, and of the last that wrote to it; 0: none. */
export class PageStamps {
  readonly last = new Int32Array(VOLUMES.length * PAGES.length)
  readonly #written = new Int32Array(VOLUMES.length * PAGES.length)

  /** A drop leaves nothing; an unmap changes what there was. */
  apply(change: Change): void {
    const { kind, first, blocks, seq } = change
    if (blocks === 0) return
    if (kind === 'install') {
      this.last[first / BLOCKS_PER_PAGE] = seq
      this.#written[first / BLOCKS_PER_PAGE] = change.value > 0 ? seq : 0
      return
    }
    const from = Math.floor(first / BLOCKS_PER_PAGE)
    const to = Math.floor((first + blocks - 1) / BLOCKS_PER_PAGE)
    for (let page = from; page <= to; page += 1) {
      if (!takes(change, Math.max(first, page * BLOCKS_PER_PAGE))) continue
      const isDrop = kind === 'drop' || kind === 'dropSlice'
      const isWritten = kind === 'write' || (kind === 'trim' && (page === from || page === to))
      // A drop leaves none, and has none.
      if (isWritten || isDrop) this.#written[page] = seq
      if (isWritten || isDrop || this.last[page] !== 0) this.last[page] = seq
    }
  }

  /** ST10 PG3 PG6: what is wrong with the pages of the store, at home or vacated; null: nothing. */
  wrongIn(store: PageStore, blocks: Int32Array): string | null {
    const told = new Map<string, number>()
    for (const slice of SLICES) {
      for (const { volume, page, stamp } of store.versions(slice)) {
        told.set(`${slice}:${volume}:${page}`, stamp.seq)
      }
    }
    for (const [page, stamp] of this.last.entries()) {
      const first = page * BLOCKS_PER_PAGE
      const { volume, offset } = placeOf(first)
      const folded = store.foldedOf(sliceOf(first))?.seq ?? 0
      const name = `${sliceOf(first)}:${volume}:${offset / PAGE_BYTES}`
      const actual = store.stampOf(volume, offset / PAGE_BYTES)?.seq ?? 0
      const isEmpty = blocks.subarray(first, first + BLOCKS_PER_PAGE).every((value) => value === 0)
      // An unmap that found nothing but a folded tombstone has not raised it.
      const isFolded = isEmpty && actual === 0 && (this.#written[page] ?? 0) < folded
      if (actual !== stamp && !isFolded) return `page ${page} is of change ${actual}, not ${stamp}`
      if ((told.get(name) ?? 0) !== actual) return `${name} is told as of ${told.get(name)}`
      told.delete(name)
      const isTombstone = store.isTombstone(volume, offset / PAGE_BYTES)
      if (isTombstone !== (isEmpty && actual > 0)) return `page ${page}: tombstone ${isTombstone}`
    }
    return told.size === 0 ? null : `also told: ${[...told.keys()].join(', ')}`
  }
}

function valueIn({ kind, first, blocks, value }: Change, block: number): number {
  if (kind === 'dropSlice') return 0
  if (kind === 'install') return INSTALLED.includes(block - first) ? value : 0
  const isInside = block > first && block < first + blocks - 1
  return kind === 'trim' && isInside ? 0 : value
}

export function valueAfter(base: Int32Array, changes: readonly Change[], k: number, block: number) {
  for (let i = k - 1; i >= 0; i -= 1) {
    const change = changes[i]
    if (change === undefined) continue
    if (takes(change, block)) return valueIn(change, block)
  }
  return base[block] ?? 0
}

export function differing(a: Int32Array, b: Int32Array): number | null {
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return i
  return null
}

export function submitTo(store: PageStore, change: Change, acknowledged: number) {
  const { kind, first, slice } = change
  if (kind === 'drop') return store.dropVolume(placeOf(first).volume)
  if (kind === 'dropSlice') return store.dropSlice(slice, epoch(change.epoch))
  if (kind === 'install') return store.install(pageIn(change))
  return store.write({ ...writeOf(change), acknowledged })
}

function pageIn({ first, value, slice, epoch: under, seq }: Change): InstalledPage {
  const { volume, offset } = placeOf(first)
  const present = new Uint8Array(BLOCKS_PER_PAGE / 8)
  const there = value > 0 ? INSTALLED : []
  for (const block of there) setPresent(present, block)
  const blocks = new Uint32Array((there.length * BLOCK_BYTES) / 4).fill(value)
  return {
    ...{ volume, slice, page: offset / PAGE_BYTES, present, checksums: null },
    blocks: new Uint8Array(blocks.buffer),
    stamp: { epoch: epoch(under), seq },
  }
}

/** The store tells of it afterwards whether it has it: of all but drops of volumes, installed pages, and what has not happened. */
export function isTold({ kind, blocks, operation }: Change): boolean {
  if (kind === 'install') return false
  return operation > 0 || (kind === 'dropSlice' && blocks > 0)
}

/** The store tells that it has the change. */
export function isIn(store: PageStore, change: Change): boolean {
  if (!isTold(change)) return false
  const { slice, operation } = change
  if (change.kind === 'dropSlice') return (store.newestOf(slice)?.epoch ?? 0) >= change.epoch
  return store.remembered(SESSION, GENERATION, slice, operation)
}

/** ST9: the unmap has found nothing, after all changes that were handed in. */
export function mustBeEmpty(unmap: Change, base: Int32Array, changes: readonly Change[]): void {
  for (let block = unmap.first; block < unmap.first + unmap.blocks; block += 1) {
    if (takes(unmap, block) && valueAfter(base, changes, changes.length, block) !== 0) {
      throw new Violation('lost', `an unmap did not find block ${block}`)
    }
  }
}
