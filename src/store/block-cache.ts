// Blocks of pages at home, in memory: what was read and found to fit its checksum, so that it need not be read and
// checked again. It is of slots and blocks, and knows nothing of pages: who changes what a slot holds tells it (Homes).
//
// A block is admitted when it is read for the second time: of the first nothing is kept but a ghost, four bytes. So what is
// read once takes no memory. It is given a free frame, else that of one that was not read since the hand of the clock last
// passed. This is S3-FIFO whose small queue has no room at all: as many hits as with it on skewed reads, and a copy for few
// misses only. What is written over is not dropped: its frame is given the new bytes when they are home.
//
// Invariants:
//   BC1. What is in it is found, and nothing that was dropped, under whatever slot and block the frame is used again.
//   BC2. It takes no more memory than it was given, but for four to eight bytes a slot, and takes it as it fills.
//   BC3. One scan, however long, takes no frame, free or somebody's; and a loop over more than fits leaves most of what is there.
//   BC4. Admitting looks at a few frames at most, and dropping a slot only at those of that slot.
//   BC5. Admitting costs no more than hits have saved: one hit pays for a frame that was in use before, and four for one whose
//        memory is new. Where nothing is hit little is copied: one block of every 32 misses, or of every 128.
import { assert } from '../base/assert.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import { BLOCKS_PER_PAGE } from './layout.ts'

/** A GiB: memory of which nothing is taken before it is touched, while each slab brings the collector nearer. */
const FRAMES_PER_SLAB = 262_144
const SLAB_BYTES = FRAMES_PER_SLAB * BLOCK_BYTES
/** Of a frame, beside its block: owner, lists, a place in the index that is at most half full, two ghosts or up to four. */
const OVERHEAD_BYTES = 48
const NONE = -1
const GHOSTS_PER_FRAME = 2
/** Places where a ghost can be. */
const WAYS = 4
/** How often a frame that was read that often, or oftener, is passed over by the hand. */
const FREQ_MOST = 3
/** What admitting a block costs where no frame is free: one hit earns it, or so many misses, so that what is never read again leaves in the end. */
const ADMISSION = 32
/**
 * And what it costs in memory that nothing has touched yet: the first touch of 4 KiB takes 2 to 20 µs, the most where a hypervisor
 * takes back what its guest does not use, and a hit saves 5.
 */
const NEW_ADMISSION = 4 * ADMISSION
/** Of blocks that are admitted before anything was hit. */
const FIRST_BLOCKS = 1024
/** Frames that the hand looks at for one block: if they were all read since it last came, the block is not admitted. */
const LOOKS = 4

export class BlockCache {
  /** Of blocks, at most. */
  readonly capacity: number
  /** Blocks that were read from here, and from home; both only grow. */
  readonly work = { hits: 0, misses: 0 }
  readonly #slabs: Uint8Array[] = []
  /** By frame: of which slot and block it is; NONE if it is free. */
  readonly #slot: Int32Array
  readonly #block: Uint8Array
  /** By frame: how often it was read since the hand last passed, up to FREQ_MOST. */
  readonly #freq: Uint8Array
  /** By frame: the others of its slot; of those that are free, `next` is the next free one. */
  readonly #next: Int32Array
  readonly #previous: Int32Array
  /** By slot: one frame of it, plus one; 0: there is none. Grows with the slots that were read twice. */
  #firstOf = new Int32Array(0)
  /** Frames by the hash of slot and block, plus one, with linear probing. */
  readonly #index: Int32Array
  /** Hashes of blocks that were read once; 0: none. */
  readonly #ghosts: Uint32Array
  /** Frames of the blocks that are being read. */
  readonly #found = new Int32Array(BLOCKS_PER_PAGE)
  #free = NONE
  #made = 0
  #used = 0
  #hand = 0
  #chance = 0
  /** BC5 */
  #credit: number

  constructor(bytes: number) {
    const frames = Math.floor(bytes / (BLOCK_BYTES + OVERHEAD_BYTES))
    this.capacity = frames
    this.#credit = Math.min(frames, FIRST_BLOCKS) * NEW_ADMISSION
    this.#slot = new Int32Array(frames).fill(NONE)
    this.#block = new Uint8Array(frames)
    this.#freq = new Uint8Array(frames)
    this.#next = new Int32Array(frames)
    this.#previous = new Int32Array(frames)
    this.#index = new Int32Array(powerOfTwo(2 * frames))
    this.#ghosts = new Uint32Array(powerOfTwo(Math.max(WAYS, GHOSTS_PER_FRAME * frames)))
  }

  /** Blocks that are in it. */
  get size(): number {
    return this.#used
  }

  /** True: `into` holds the bytes from `offset` of the slot's page on. False: not all blocks of it are here, and it is as it was. */
  read(slot: number, offset: number, into: Uint8Array): boolean {
    if ((this.#firstOf[slot] ?? 0) === 0) return false
    const first = Math.floor(offset / BLOCK_BYTES)
    const last = Math.floor((offset + into.length - 1) / BLOCK_BYTES)
    for (let block = first; block <= last; block += 1) {
      const frame = this.#find(slot, block)
      if (frame === NONE) return false
      this.#found[block - first] = frame
    }
    this.work.hits += last - first + 1
    this.#earn((last - first + 1) * ADMISSION)
    let from = offset - first * BLOCK_BYTES
    let at = 0
    for (let i = 0; i <= last - first; ) {
      const frame = this.#use(i)
      let frames = 1
      // Blocks that came together lie side by side, mostly.
      while (first + i + frames <= last && this.#isNext(frame + frames, i + frames)) {
        this.#use(i + frames)
        frames += 1
      }
      const bytes = Math.min(frames * BLOCK_BYTES - from, into.length - at)
      into.set(this.#bytesOf(frame, from, bytes), at)
      at += bytes
      from = 0
      i += frames
    }
    return true
  }

  /** These bytes of a whole block were read from home, and fit its checksum. */
  checked(slot: number, block: number, bytes: Uint8Array): void {
    this.work.misses += 1
    if (this.capacity === 0) return
    this.#earn(1)
    const hash = hashOf(slot, block)
    const ghost = this.#ghostOf(hash)
    if (this.#ghosts[ghost] !== hash) {
      this.#ghosts[ghost] = hash
      return
    }
    const price = this.#isNextNew ? NEW_ADMISSION : ADMISSION
    if (this.#credit < price) return
    // A range of which a part is here was read from home as a whole.
    if (this.#has(slot, block)) return
    const frame = this.#take()
    if (frame === NONE) return
    this.#credit -= price
    this.#ghosts[ghost] = 0
    this.#fill(frame, slot, block, bytes)
  }

  /** These are the slot's bytes of the block from now on. */
  renew(slot: number, block: number, bytes: Uint8Array): void {
    if ((this.#firstOf[slot] ?? 0) === 0) return
    const frame = this.#find(slot, block)
    if (frame !== NONE) this.#bytesOf(frame, 0, BLOCK_BYTES).set(bytes)
  }

  /** So many were read from home, and are not to be kept. */
  missed(blocks: number): void {
    this.work.misses += blocks
  }

  /** What the slot has in the block is another thing from now on. */
  drop(slot: number, block: number): void {
    if (this.#has(slot, block)) this.#giveUp(this.#find(slot, block))
  }

  /** The same of all its blocks. */
  dropSlot(slot: number): void {
    for (let first = this.#firstOf[slot] ?? 0; first !== 0; first = this.#firstOf[slot] ?? 0) {
      this.#giveUp(first - 1)
    }
  }

  #find(slot: number, block: number): number {
    const index = this.#index
    const mask = index.length - 1
    for (let at = hashOf(slot, block) & mask; ; at = (at + 1) & mask) {
      const frame = (index[at] ?? 0) - 1
      if (frame === NONE) return NONE
      if (this.#slot[frame] === slot && this.#block[frame] === block) return frame
    }
  }

  /** The next frame that is taken has memory that was never touched. */
  get #isNextNew(): boolean {
    return this.#free === NONE && this.#made < this.capacity
  }

  #earn(credit: number): void {
    this.#credit = Math.min(this.#credit + credit, this.capacity * NEW_ADMISSION)
  }

  #has(slot: number, block: number): boolean {
    return (this.#firstOf[slot] ?? 0) !== 0 && this.#find(slot, block) !== NONE
  }

  /** Where the ghost is, or may be put: in the place of one that chance finds, since a loop over a few too many that took turns would never meet one again. */
  #ghostOf(hash: number): number {
    const ghosts = this.#ghosts
    const first = hash & (ghosts.length - 1) & -WAYS
    if (ghosts[first] === hash) return first
    if (ghosts[first + 1] === hash) return first + 1
    if (ghosts[first + 2] === hash) return first + 2
    if (ghosts[first + 3] === hash) return first + 3
    this.#chance = (Math.imul(this.#chance, 1_664_525) + 1_013_904_223) | 0
    return first + (this.#chance >>> 30)
  }

  /** The frame of what was found as the i-th. */
  #use(i: number): number {
    const frame = this.#found[i] ?? NONE
    const freq = this.#freq[frame] ?? 0
    if (freq < FREQ_MOST) this.#freq[frame] = freq + 1
    return frame
  }

  /** What was found as the i-th is in this frame, and so behind the one before it in the same slab. */
  #isNext(frame: number, i: number): boolean {
    return this.#found[i] === frame && frame % FRAMES_PER_SLAB !== 0
  }

  /** A frame to fill; NONE: all that were looked at are in use. */
  #take(): number {
    const free = this.#free
    if (free !== NONE) {
      this.#free = this.#next[free] ?? NONE
      return free
    }
    if (this.#made < this.capacity) {
      const frame = this.#made
      if (frame % FRAMES_PER_SLAB === 0) this.#slabs.push(this.#newSlab())
      this.#made += 1
      return frame
    }
    for (let look = 0; look < LOOKS; look += 1) {
      const frame = this.#hand
      this.#hand = (frame + 1) % this.capacity
      const freq = this.#freq[frame] ?? 0
      if (freq > 0) {
        this.#freq[frame] = freq - 1
        continue
      }
      this.#giveUp(frame)
      this.#free = this.#next[frame] ?? NONE
      return frame
    }
    return NONE
  }

  #newSlab(): Uint8Array {
    const left = this.capacity - this.#made
    return new Uint8Array(Math.min(SLAB_BYTES, left * BLOCK_BYTES))
  }

  /** Of frames side by side. */
  #bytesOf(frame: number, from: number, bytes: number): Uint8Array {
    const slab = this.#slabs[Math.floor(frame / FRAMES_PER_SLAB)]
    assert(slab !== undefined, 'a frame that was made has memory')
    const at = (frame % FRAMES_PER_SLAB) * BLOCK_BYTES + from
    return slab.subarray(at, at + bytes)
  }

  #fill(frame: number, slot: number, block: number, bytes: Uint8Array): void {
    this.#bytesOf(frame, 0, BLOCK_BYTES).set(bytes)
    if (slot >= this.#firstOf.length) this.#growTo(slot)
    const first = this.#firstOf[slot] ?? 0
    this.#slot[frame] = slot
    this.#block[frame] = block
    this.#freq[frame] = 0
    this.#previous[frame] = NONE
    this.#next[frame] = first - 1
    if (first > 0) this.#previous[first - 1] = frame
    this.#firstOf[slot] = frame + 1
    const mask = this.#index.length - 1
    let at = hashOf(slot, block) & mask
    while (this.#index[at] !== 0) at = (at + 1) & mask
    this.#index[at] = frame + 1
    this.#used += 1
  }

  /** BC1. It is the next that is taken. */
  #giveUp(frame: number): void {
    const slot = this.#slot[frame] ?? NONE
    const next = this.#next[frame] ?? NONE
    const previous = this.#previous[frame] ?? NONE
    if (next !== NONE) this.#previous[next] = previous
    if (previous !== NONE) this.#next[previous] = next
    else this.#firstOf[slot] = next + 1
    this.#unindex(frame, slot)
    this.#slot[frame] = NONE
    this.#next[frame] = this.#free
    this.#free = frame
    this.#used -= 1
  }

  /** What stands behind it in the index moves up, so that no probe ends early. */
  #unindex(frame: number, slot: number): void {
    const index = this.#index
    const mask = index.length - 1
    let hole = hashOf(slot, this.#block[frame] ?? 0) & mask
    while (index[hole] !== frame + 1) hole = (hole + 1) & mask
    for (let at = (hole + 1) & mask; index[at] !== 0; at = (at + 1) & mask) {
      const other = (index[at] ?? 0) - 1
      const home = hashOf(this.#slot[other] ?? NONE, this.#block[other] ?? 0) & mask
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      index[hole] = other + 1
      hole = at
    }
    index[hole] = 0
  }

  #growTo(slot: number): void {
    const grown = new Int32Array(Math.max(1024, powerOfTwo(slot + 1)))
    grown.set(this.#firstOf)
    this.#firstOf = grown
  }
}

/** 32 bits that all depend on both, and not 0. */
function hashOf(slot: number, block: number): number {
  let hash = Math.imul(slot, 0x9e3779b1) ^ Math.imul(block + 1, 0x85ebca6b)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x2c1b3c6d)
  hash ^= hash >>> 12
  return hash >>> 0 || 1
}

function powerOfTwo(atLeast: number): number {
  let power = 1
  while (power < atLeast) power *= 2
  return power
}
