// The cache alone, against a model that knows what each block last was.
import { describe, expect, it, vi } from 'vitest'
import { Prng } from '../base/prng.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import { BlockCache } from './block-cache.ts'

const FRAME_BYTES = BLOCK_BYTES + 48

function filled(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array(BLOCK_BYTES / 4).fill(value).buffer)
}

/** −1: its words differ. */
function wordOf(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.buffer)
  const [value = 0] = words
  return words.every((word) => word === value) ? value : -1
}

/** What is found of a block; null: nothing. */
function found(cache: BlockCache, slot: number, block: number): number | null {
  const into = new Uint8Array(BLOCK_BYTES)
  return cache.read(slot, block * BLOCK_BYTES, into) ? wordOf(into) : null
}

/** Looks for the block, and reads it from home if it is not there. True: it was there. */
function access(cache: BlockCache, slot: number, block = 0): boolean {
  if (found(cache, slot, block) !== null) return true
  cache.checked(slot, block, filled(slot * 256 + block))
  return false
}

function admit(cache: BlockCache, slot: number, block: number, value: number): void {
  for (let i = 0; i < 2; i += 1) cache.checked(slot, block, filled(value))
}

/** Returns how many blocks were found, each as it was last. */
function changesAndReads(seed: number): number {
  const prng = new Prng(seed)
  const frames = prng.integer(1, 40)
  const cache = new BlockCache(frames * FRAME_BYTES)
  const truth = new Map<string, number>()
  let value = 0
  const change = (slot: number, block: number) => {
    value += 1
    truth.set(`${slot}/${block}`, value)
  }
  const look = (slot: number, block: number) => {
    const is = truth.get(`${slot}/${block}`) ?? 0
    const got = found(cache, slot, block)
    if (got === null) cache.checked(slot, block, filled(is))
    else expect(got).toBe(is)
  }
  for (let step = 0; step < 4000; step += 1) {
    const slot = prng.integer(0, 5) * prng.pick([1, 1000])
    const block = prng.integer(0, 7)
    const dice = prng.unit()
    if (dice < 0.1) {
      cache.drop(slot, block)
      change(slot, block)
    } else if (dice < 0.2) {
      change(slot, block)
      cache.renew(slot, block, filled(value))
    } else if (dice < 0.23) {
      cache.dropSlot(slot)
      for (let each = 0; each < 8; each += 1) change(slot, each)
    } else look(slot, block)
    expect(cache.size).toBeLessThanOrEqual(frames)
  }
  const { hits } = cache.work
  let size = 0
  for (const slot of [0, 1, 2, 3, 4, 5, 1000, 2000, 3000, 4000, 5000]) {
    for (let block = 0; block < 8; block += 1) if (found(cache, slot, block) !== null) size += 1
  }
  expect(size).toBe(cache.size)
  return hits
}

describe('the cache of blocks', () => {
  it('admits a block when it is read for the second time, and takes the frame of one that was not read since', () => {
    const cache = new BlockCache(2 * FRAME_BYTES)
    for (const block of [6, 7]) admit(cache, 3, block, block)
    expect(found(cache, 3, 7)).toBe(7)
    cache.checked(3, 8, filled(8))
    expect(found(cache, 3, 8)).toBeNull()
    cache.checked(3, 8, filled(8))
    expect(found(cache, 3, 8)).toBe(8)
    expect(found(cache, 3, 6)).toBeNull()
    expect(cache.work).toEqual({ hits: 2, misses: 6 })
  })

  it('BC2 BC3 what is read once takes no memory, free or not', () => {
    const cache = new BlockCache(64 * FRAME_BYTES)
    for (let block = 0; block < 64; block += 1) cache.checked(1, block, filled(block))
    expect(cache.size).toBe(0)
  })

  it('HO1 a block that is renewed is found with its new bytes, and one that is not there is not admitted', () => {
    const cache = new BlockCache(8 * FRAME_BYTES)
    for (const block of [1, 2]) admit(cache, 5, block, block)
    cache.renew(5, 2, filled(77))
    cache.renew(5, 3, filled(88))
    cache.renew(6, 1, filled(99))
    expect([1, 2, 3].map((block) => found(cache, 5, block))).toEqual([1, 77, null])
    expect(found(cache, 6, 1)).toBeNull()
    expect(cache.size).toBe(2)
  })

  it('reads a range if all of it is there, from any byte on, and leaves the buffer alone otherwise', () => {
    const cache = new BlockCache(1024 * FRAME_BYTES)
    const page = new Uint8Array(16 * BLOCK_BYTES)
    const words = new Prng(5)
    for (let at = 0; at < page.length; at += 1) page[at] = words.integer(0, 255)
    // Not in their order, and across the end of a slab.
    for (let i = 0; i < 250; i += 1) admit(cache, 9, i, 0)
    for (const block of [0, 1, 2, 9, 8, 10, 11, 12, 3, 4, 5, 7, 6, 13, 14]) {
      const bytes = page.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
      for (let i = 0; i < 2; i += 1) cache.checked(4, block, bytes)
    }
    const prng = new Prng(6)
    for (let i = 0; i < 2000; i += 1) {
      const from = prng.integer(0, 14 * BLOCK_BYTES)
      const into = new Uint8Array(i % 5 ? prng.integer(1, 15 * BLOCK_BYTES - from) : BLOCK_BYTES)
      expect(cache.read(4, from, into)).toBe(true)
      expect(Buffer.compare(into, page.subarray(from, from + into.length))).toBe(0)
    }
    const more = new Uint8Array(2 * BLOCK_BYTES).fill(0xee)
    expect(cache.read(4, 14 * BLOCK_BYTES, more)).toBe(false)
    expect(more.every((byte) => byte === 0xee)).toBe(true)
  })

  it('BC1 finds all that was kept and nothing that was dropped, through any order of changes', () => {
    for (let seed = 1; seed <= 8; seed += 1) expect(changesAndReads(seed)).toBeGreaterThan(0)
  })

  it('BC2 takes no more than it was given, and nothing before it is needed', () => {
    const given = 64 * 2 ** 20
    const before = process.memoryUsage().arrayBuffers
    const cache = new BlockCache(given)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(given / 64)
    for (let slot = 0; slot < 100; slot += 1) {
      for (let block = 0; block < 256; block += 1) {
        // What is hit pays for the memory of the next one (BC5).
        for (let i = 0; i < 8; i += 1) access(cache, slot, block)
      }
    }
    expect(cache.size).toBe(cache.capacity)
    const blocks = cache.capacity * BLOCK_BYTES
    expect(blocks).toBeLessThan(given)
    expect(given - blocks).toBeLessThan(given / 20)
  })

  it('with nothing given it finds nothing, and counts', () => {
    const cache = new BlockCache(0)
    for (let i = 0; i < 3; i += 1) expect(access(cache, 1)).toBe(false)
    cache.drop(1, 0)
    cache.dropSlot(1)
    expect(cache.work).toEqual({ hits: 0, misses: 3 })
    expect(cache.size).toBe(0)
  })

  it('BC3 a scan takes no frame from what is read again and again', () => {
    const cache = new BlockCache(400 * FRAME_BYTES)
    for (let i = 0; i < 6; i += 1) for (let slot = 0; slot < 400; slot += 1) access(cache, slot)
    const { hits } = cache.work
    for (let slot = 1000; slot < 31_000; slot += 1) access(cache, slot)
    expect(cache.work.hits).toBe(hits)
    expect(cache.size).toBe(400)
    for (let slot = 0; slot < 400; slot += 1) expect(access(cache, slot)).toBe(true)
  })

  it('BC3 a loop over half as much again as fits is a hit every second time', () => {
    const cache = new BlockCache(1024 * FRAME_BYTES)
    const loop = () => {
      const { hits } = cache.work
      for (let slot = 0; slot < 1536; slot += 1) access(cache, slot)
      return cache.work.hits - hits
    }
    for (let i = 0; i < 20; i += 1) loop()
    expect(loop()).toBeGreaterThan(1536 * 0.4)
  })

  it('what is not read any more makes room for what is', () => {
    const cache = new BlockCache(256 * FRAME_BYTES)
    for (let i = 0; i < 10; i += 1) for (let slot = 0; slot < 256; slot += 1) access(cache, slot)
    for (let i = 0; i < 10; i += 1) {
      for (let slot = 500; slot < 700; slot += 1) access(cache, slot)
    }
    for (let slot = 500; slot < 700; slot += 1) expect(access(cache, slot)).toBe(true)
  })

  it('BC5 where nothing is hit, little is copied, and where much is, what is read anew takes over', () => {
    const cache = new BlockCache(256 * FRAME_BYTES)
    const copy = vi.spyOn(Object.getPrototypeOf(Uint8Array.prototype), 'set')
    const prng = new Prng(3)
    const bytes = filled(1)
    // As often as these are read, they are not found: ranges of which another part is missing.
    for (let i = 0; i < 20_000; i += 1) cache.checked(prng.integer(0, 999), 0, bytes)
    expect(copy.mock.calls.length).toBeLessThan(2 * 256 + 20_000 / 32)
    copy.mockRestore()
    // Frames that were in use before: each hit pays for one.
    for (let i = 0; i < 40; i += 1) {
      for (let slot = 2000; slot < 2200; slot += 1) access(cache, slot)
    }
    for (let slot = 2000; slot < 2200; slot += 1) expect(access(cache, slot)).toBe(true)
  })

  it('BC5 new memory is paid for by four hits, but for what a start from nothing is given', () => {
    const bytes = filled(1)
    const large = new BlockCache(10_000 * FRAME_BYTES)
    for (let i = 0; i < 8_000; i += 1) large.checked(i % 4_000, 0, bytes)
    expect(large.size).toBeGreaterThanOrEqual(1024)
    expect(large.size).toBeLessThanOrEqual(1024 + 8_000 / 128)
    const { size } = large
    const { hits } = large.work
    for (let i = 0; i < 10; i += 1) for (let slot = 0; slot < 4_000; slot += 1) access(large, slot)
    const bought = large.size - size
    expect(bought).toBeGreaterThan(1_000)
    expect(bought).toBeLessThan((large.work.hits - hits) / 4 + 40_000 / 128)
    for (let i = 0; i < 40; i += 1) {
      for (let slot = 2000; slot < 2200; slot += 1) access(large, slot)
    }
    for (let slot = 2000; slot < 2200; slot += 1) expect(access(large, slot)).toBe(true)
  })

  it('BC4 a block is not admitted where every frame that is looked at was read since', () => {
    const cache = new BlockCache(64 * FRAME_BYTES)
    for (let i = 0; i < 9; i += 1) for (let slot = 0; slot < 64; slot += 1) access(cache, slot)
    expect(cache.size).toBe(64)
    admit(cache, 100, 0, 1)
    expect(found(cache, 100, 0)).toBeNull()
    for (let slot = 0; slot < 64; slot += 1) expect(found(cache, slot, 0)).not.toBeNull()
  })
})
