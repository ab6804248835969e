// Where the changes of pages stand in the order of their slice, and what says which page it is.
import { describe, expect, it } from 'vitest'
import { block, World, write } from '../../test/kit/store-world.ts'
import { writeU32 } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import { epoch, sliceId, volumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import {
  CHECKPOINT,
  CHECKPOINT_HEAD_BYTES,
  LOST,
  PAGE_ENTRY,
  paths,
  RECORD,
  RECORD_CHECKSUM,
  SUPER,
} from './layout.ts'
import type { PageStore } from './page-store.ts'
import { checksumSeed } from './superblock.ts'

const change = (world: World, store: PageStore, at: number, era: number, seq: number) =>
  world.run(store.write({ ...write(1, at, block(seq)), epoch: epoch(era), seq }))

describe('the stamp of a page', () => {
  it('ST10 is of its newest change, on its way home, at home, after a restart and after a cut', async () => {
    const world = new World()
    let store = await world.open()
    expect(store.stampOf(volumeId(1), 0)).toBeNull()
    await change(world, store, 0, 3, 7)
    await change(world, store, PAGE_BYTES, 3, 8)
    // Of another block: it may become durable before an older one.
    await change(world, store, BLOCK_BYTES, 3, 6)
    expect(store.stampOf(volumeId(1), 0)).toMatchObject({ epoch: 3, seq: 7 })
    store = await world.reopen(store)
    expect(store.stampOf(volumeId(1), 0)).toMatchObject({ epoch: 3, seq: 7 })
    await change(world, store, 2 * BLOCK_BYTES, 3, 5)
    await change(world, store, PAGE_BYTES, 4, 1)
    store = await world.reopen(store)
    store = await world.reopen(store)
    expect(store.stampOf(volumeId(1), 0)).toMatchObject({ epoch: 3, seq: 7 })
    expect(store.stampOf(volumeId(1), 1)).toMatchObject({ epoch: 4, seq: 1 })
    expect(store.newestOf(sliceId(1))).toMatchObject({ epoch: 4, seq: 1 })
    await change(world, store, 0, 4, 2)
    world.disk.crash(() => 0)
    store = await world.open()
    expect(store.stampOf(volumeId(1), 0)).toMatchObject({ epoch: 4, seq: 2 })
    expect(store.newestOf(sliceId(1))).toMatchObject({ epoch: 4, seq: 2 })
  })
})

describe('tombstones', () => {
  const unmap = (world: World, store: PageStore, at: number, bytes: number, seq: number) =>
    world.run(store.write({ ...write(1, at, null, bytes), epoch: epoch(2), seq }))
  const one = volumeId(1)

  it('PG3 a page that was vacated, at once or piece by piece, leaves its stamp through restarts and cuts; a drop leaves nothing', async () => {
    const world = new World()
    let store = await world.open()
    await change(world, store, 0, 2, 1)
    await change(world, store, PAGE_BYTES, 2, 2)
    await unmap(world, store, 0, PAGE_BYTES, 3)
    await unmap(world, store, PAGE_BYTES, BLOCK_BYTES, 4)
    store = await world.reopen(store)
    const isBuried = (seq: number, page: number) => {
      expect(store.isTombstone(one, page)).toBe(true)
      expect(store.stampOf(one, page)).toMatchObject({ epoch: 2, seq })
    }
    isBuried(3, 0)
    isBuried(4, 1)
    expect(store.stampOf(one, 2)).toBeNull()
    // Vacated again beside a page that holds something; written again.
    await change(world, store, 2 * PAGE_BYTES, 2, 5)
    await unmap(world, store, 0, 3 * PAGE_BYTES, 6)
    await change(world, store, PAGE_BYTES, 2, 7)
    world.disk.crash(() => 0)
    store = await world.open()
    isBuried(6, 0)
    expect(store.isTombstone(one, 1)).toBe(false)
    isBuried(6, 2)
    await world.run(store.dropVolume(one))
    expect(store.stampOf(one, 0)).toBeNull()
    store = await world.reopen(store)
    expect(store.stampOf(one, 0)).toBeNull()
    expect(store.foldedOf(sliceId(1))).toBeNull()
  })

  it('PG3 an unmapped page of a folder that was given up leaves one, too', async () => {
    const world = new World()
    const known = { folderId: 'gone', position: 0, openAs: null, epochs: new Map() }
    const volumesHeld = [{ volume: one, pages: 64, held: 64 }]
    const store = await world.open({ known, accept: 'loss', volumesHeld })
    await unmap(world, store, 0, PAGE_BYTES, 9)
    expect(store.stampOf(one, 0)).toMatchObject({ epoch: 2, seq: 9 })
    const again = await world.reopen(store)
    expect(again.isTombstone(one, 0)).toBe(true)
  })

  it('PG3 SI1 they are bounded: the oldest are folded into their slice, and their memory is used again', async () => {
    const world = new World({ tombstoneRuns: 3 })
    let store = await world.open()
    for (let run = 0; run < 8; run += 1) {
      await change(world, store, run * RUN_BYTES, 2, 2 * run + 1)
      await unmap(world, store, run * RUN_BYTES, PAGE_BYTES, 2 * run + 2)
    }
    for (let pass = 0; pass < 2; pass += 1) {
      const pages = Array.from({ length: 8 }, (_, run) => store.isTombstone(one, run * 16))
      expect(pages).toEqual([false, false, false, false, false, true, true, true])
      expect(store.foldedOf(sliceId(1))).toMatchObject({ epoch: 2, seq: 10 })
      expect(store.tombstones).toEqual({ runs: 3, atMost: 3 })
      store = await world.reopen(store)
    }
    await change(world, store, 0, 2, 20)
    store = await world.reopen(store)
    expect(store.stampOf(one, 0)).toMatchObject({ epoch: 2, seq: 20 })
    expect((await world.read(store, 1, 0)).into).toEqual(block(20))
    expect((await world.read(store, 1, RUN_BYTES)).into).toEqual(block(0))
  })

  it('PG4 what is taken of a volume that is dropped is taken once: no two pages share a place in the index', async () => {
    const world = new World({ tombstoneRuns: 4, slotsPerSegment: 64 })
    const store = await world.open()
    const runs = 264
    for (let run = 0; run < runs; run += 1) await change(world, store, run * RUN_BYTES, 2, run + 1)
    for (let run = runs - 4; run < runs; run += 1)
      await unmap(world, store, run * RUN_BYTES, PAGE_BYTES, runs + run)
    await world.write(store, 2, 0, block(2))
    // One batch: beyond the bound while the last pages of the volume are still to be taken.
    const unmapped = write(2, 0, null, PAGE_BYTES)
    await world.run(Promise.all([store.dropVolume(one), store.write(unmapped)]))
    // A round, after which the places are used again.
    await world.write(store, 2, RUN_BYTES, block(3))
    await world.timeline.run(world.timeline.nowMs + 1000)
    for (let volume = 10; volume < 30; volume += 1) {
      await world.write(store, volume, 0, block(volume))
    }
    for (let volume = 10; volume < 30; volume += 1) {
      expect((await world.read(store, volume, 0)).into).toEqual(block(volume))
    }
  })
})

describe('layers and formats', () => {
  const seed = checksumSeed('f00d')
  const patched = async (world: World, path: string, patch: (bytes: Uint8Array) => void) => {
    const file = await world.disk.open(path, 'existing')
    const bytes = new Uint8Array(file.sizeBytes())
    await file.read(bytes, 0)
    patch(bytes)
    await file.writeDurable([bytes], 0)
  }
  const sum = (bytes: Uint8Array, at: number, seeded = seed) =>
    writeU32(bytes, at, crc32c(bytes.subarray(0, at), seeded))

  it('ID6 a record of another layer is refused, and the journal left as it is', async () => {
    const world = new World({ homeAfterMs: 1e9 })
    const store = await world.open()
    await world.write(store, 7, 0, block(1))
    world.disk.crash(() => 0)
    await patched(world, paths.journal, (bytes) => {
      const at = bytes.indexOf(0x45) // of the first record's magic
      const header = bytes.subarray(at, at + 512)
      writeU32(header, RECORD.layer, 2)
      sum(header, RECORD_CHECKSUM)
    })
    const before = world.disk.peek(paths.journal)
    await expect(world.open()).rejects.toThrow(/layer 2 of volume 7: a newer release/)
    expect(world.disk.peek(paths.journal)).toEqual(before)
  })

  it('ID6 also behind more than the overlay takes, and nothing has gone home by then', async () => {
    const world = new World({ homeAfterMs: 1e9 })
    const store = await world.open()
    for (let i = 0; i < 3; i += 1) await world.write(store, 7, i * RUN_BYTES, block(i + 1, 16))
    world.disk.crash(() => 0)
    await patched(world, paths.journal, (bytes) => {
      for (let last = -1, at = 0; at < bytes.length; at += 512) {
        if (bytes[at] === 0x45 && bytes[at + 1] === bytes[bytes.indexOf(0x45) + 1]) last = at
        if (at + 512 < bytes.length) continue
        const header = bytes.subarray(last, last + 512)
        writeU32(header, RECORD.layer, 2)
        sum(header, RECORD_CHECKSUM)
      }
    })
    const overlayBytes = 24 * BLOCK_BYTES
    await expect(world.open({ overlayBytes })).rejects.toThrow(/layer 2 of volume 7/)
    expect(await world.disk.list(paths.segments)).toEqual([])
  })

  it('ID6 a checkpoint with pages of another layer is refused', async () => {
    const world = new World()
    const store = await world.open()
    await world.write(store, 7, 0, block(1))
    await world.run(store.close())
    for (const path of paths.checkpoints) {
      await patched(world, path, (bytes) => {
        const body = bytes.subarray(CHECKPOINT_HEAD_BYTES)
        if (body.length < PAGE_ENTRY.end) return
        writeU32(body, PAGE_ENTRY.layer, 3)
        writeU32(bytes, CHECKPOINT.bodyChecksum, crc32c(body, seed))
        sum(bytes, CHECKPOINT.checksum)
      })
    }
    await expect(world.open()).rejects.toThrow(/layer 3 of volume 7: a newer release/)
  })

  it('ID6 so is one with lost pages of another layer', async () => {
    const world = new World()
    const held = { volume: volumeId(7), pages: 64, held: 64 }
    const known = { folderId: 'gone', position: 0, openAs: null, epochs: new Map() }
    const store = await world.open({ known, accept: 'loss', volumesHeld: [held] })
    await world.run(store.close())
    for (const path of paths.checkpoints) {
      await patched(world, path, (bytes) => {
        const body = bytes.subarray(CHECKPOINT_HEAD_BYTES)
        writeU32(body, body.length - LOST.end + LOST.layer, 4)
        writeU32(bytes, CHECKPOINT.bodyChecksum, crc32c(body, seed))
        sum(bytes, CHECKPOINT.checksum)
      })
    }
    await expect(world.open()).rejects.toThrow(/layer 4 of volume 7: a newer release/)
  })

  it('an older format is refused with a sentence', async () => {
    const world = new World()
    await world.run((await world.open()).close())
    await patched(world, paths.superblock, (bytes) => {
      for (const copy of [bytes.subarray(0, 4096), bytes.subarray(4096)]) {
        writeU32(copy, SUPER.format, 2)
        sum(copy, SUPER.checksum, 0)
      }
    })
    await expect(world.open()).rejects.toThrow(
      /format 2; it was made by an earlier development version\. Start with a new data folder/,
    )
  })
})
