// The wrong folder, an older one, and what becomes of one that is given up.
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { block, SLICE, World, write } from '../../test/kit/store-world.ts'
import { type Epoch, epoch, memberId, type SliceId, volumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import { paths } from './layout.ts'
import { PageStore } from './page-store.ts'
import type { KnownFolder } from './settings.ts'

/** As the group would know it now. */
function knownOf(
  store: PageStore,
  epochs: readonly (readonly [SliceId, Epoch])[] = [],
): KnownFolder {
  const { folderId, position } = store
  return { folderId, position, openAs: null, epochs: new Map(epochs) }
}

/** A terabyte each, all of it here. */
const held = (...volumes: number[]) =>
  volumes.map((volume) => ({ volume: volumeId(volume), pages: 2 ** 20, held: 2 ** 20 }))

const promise = (world: World, store: PageStore, slice: SliceId, epoch: Epoch) =>
  world.run(store.promise(new Map([[slice, epoch]])))

describe('which folder', () => {
  it('ID1 a folder is made where the group knows none, and begun again if its maker died', async () => {
    const world = new World()
    const first = await world.open()
    const again = await world.reopen(first, { newFolderId: 'another' })
    expect(again.folderId).toBe('f00d')
  })

  it('ID1 an empty folder is refused when the group knows one, and stays empty', async () => {
    const world = new World()
    const known: KnownFolder = { folderId: 'gone', position: 0, openAs: null, epochs: new Map() }
    await expect(world.open({ known })).rejects.toThrow(
      /m1 is empty, but the group knows .*gone.*disk mounted.*evenkeel up --accept-loss m1/,
    )
    expect(world.disk.filePaths()).toEqual([])
  })

  it('ID2 another folder is refused, and one that was used when the record knows none', async () => {
    const world = new World()
    const store = await world.open()
    await promise(world, store, SLICE, epoch(2))
    const known: KnownFolder = { folderId: 'right', position: 0, openAs: null, epochs: new Map() }
    await expect(world.reopen(store, { known })).rejects.toThrow(
      /m1 is folder f00d, but the group knows right\. Is the right disk mounted/,
    )
    await expect(world.open()).rejects.toThrow(
      /was used before, but the group's record knows no folder of m1/,
    )
  })

  it('ID2 a folder without its superblock, its journal or an index is refused, and left as it is', async () => {
    for (const path of [paths.superblock, paths.journal, ...paths.checkpoints]) {
      const world = new World()
      const store = await world.open()
      const known = knownOf(store)
      await world.run(store.close())
      await world.disk.remove(path)
      const before = world.disk.filePaths()
      await expect(world.open({ known })).rejects.toThrow(
        new RegExp(`m1 lacks '${path}': put it back. .*--accept-loss m1`),
      )
      expect(world.disk.filePaths()).toEqual(before)
    }
  })

  it('ID2 a folder of another member is not given up, whatever is accepted', async () => {
    const world = new World()
    await world.run((await world.open()).close())
    const other = world.open({ memberId: memberId('m2'), accept: 'loss' })
    await expect(other).rejects.toThrow(/belongs to member 'm1'/)
  })
})

describe('how old', () => {
  it('ID3 a promise outlasts power cuts and checkpoints, and is never lowered', async () => {
    const world = new World()
    let store = await world.open()
    await promise(world, store, SLICE, epoch(7))
    await promise(world, store, SLICE, epoch(5))
    world.disk.crash(() => 0)
    const seven = {
      folderId: 'f00d',
      position: 0,
      openAs: null,
      epochs: new Map([[SLICE, epoch(7)]]),
    }
    const eight = { ...seven, epochs: new Map([[SLICE, epoch(8)]]) }
    await expect(world.open({ known: eight })).rejects.toThrow(
      /epoch 7 of slice 1.*the group has 8/,
    )
    store = await world.open({ known: seven })
    store = await world.reopen(store, { known: seven })
    await expect(world.reopen(store, { known: eight })).rejects.toThrow(/older copy/)
  })

  it('ID3 a slice that nobody has raised needs no promise', async () => {
    const world = new World()
    const store = await world.open()
    const known = knownOf(store, [[SLICE, epoch(1)]])
    expect((await world.reopen(store, { known })).folderId).toBe('f00d')
  })

  it('ID3 RC4 a copy from before the mark is refused, with both words, and left as it is', async () => {
    const world = new World({ homeAfterMs: 1e9 })
    const store = await world.open()
    await world.write(store, 1, 0, block(1))
    const older = world.disk.clone()
    await world.write(store, 1, 0, block(2))
    const known = knownOf(store)
    const copy = new World({}, older)
    copy.disk.crash(() => 0)
    const before = copy.disk.peek(paths.journal)
    await expect(copy.open({ known })).rejects.toThrow(
      /older than what the group has seen .*its journal ends at position \d+, and the group saw it at \d+.*--accept-damage m1.*--accept-loss m1/,
    )
    expect(copy.disk.peek(paths.journal)).toEqual(before)
    const accepted = await copy.open({ known, accept: 'damage' })
    expect(accepted.recovery.damage).toMatch(/acknowledged writes are lost/)
    expect((await copy.read(accepted, 1, 0)).into).toEqual(block(1))
  })

  it('ID5 a copy of a folder that was open is refused, until that is accepted; the folder itself is not', async () => {
    const world = new World({ homeAfterMs: 1e9 })
    const store = await world.open()
    await world.write(store, 1, 0, block(1))
    const openAs = await world.run(world.disk.identityOf(paths.superblock))
    const known = { ...knownOf(store), openAs }
    const copy = world.disk.copy()
    // No mark tells of it.
    await world.write(store, 1, 4096, block(2))
    world.disk.crash(() => 0)
    copy.crash(() => 0)
    const elsewhere = new World({ homeAfterMs: 1e9 }, copy)
    const before = copy.peek(paths.journal)
    await expect(elsewhere.open({ known })).rejects.toThrow(
      /m1 is a copy of the one .* not closed: .*moved, not copied.*--accept-damage m1.*--accept-loss m1/,
    )
    expect(copy.peek(paths.journal)).toEqual(before)
    const own = await world.open({ known })
    expect((await world.read(own, 1, 4096)).into).toEqual(block(2))
    // Closed, it may be copied.
    await world.run(own.close())
    const moved = new World({}, world.disk.copy())
    const again = await moved.open({ known: knownOf(own) })
    expect((await moved.read(again, 1, 4096)).into).toEqual(block(2))
    const accepted = await elsewhere.open({ known, accept: 'damage' })
    expect((await elsewhere.read(accepted, 1, 4096)).into).toEqual(block(0))
  })

  it('RC4 a journal that was zeroed is no torn tail when the group has seen it longer', async () => {
    const world = new World({ homeAfterMs: 1e9 })
    const store = await world.open()
    await world.write(store, 1, 0, block(1))
    const known = knownOf(store)
    const journal = await world.disk.open(paths.journal, 'existing')
    await journal.writeDurable([new Uint8Array(journal.sizeBytes())], 0)
    world.disk.crash(() => 0)
    await expect(world.open({ known })).rejects.toThrow(/or a file in it was emptied/)
  })

  it('RC4 damage of the last batch is damage when the mark proves it', async () => {
    const world = new World({ homeAfterMs: 1e9 })
    const store = await world.open()
    await world.write(store, 1, 0, block(1))
    const known = knownOf(store)
    world.disk.crash(() => 0)
    const at = world.disk.peek(paths.journal).findIndex((byte, i) => byte === 1 && i % 512 === 0)
    world.disk.flip(paths.journal, (at + 700) * 8)
    const opened = await world.open({ known })
    expect(opened.recovery.damage).toMatch(/1 acknowledged blocks are lost/)
    expect((await world.read(opened, 1, 0)).result).toBe('damaged')
  })
})

describe('a loss that is accepted', () => {
  /** m1 held pages of volumes 1 and 2, and is given up. */
  async function lose(): Promise<{ world: World; store: PageStore }> {
    const world = new World()
    const first = await world.open()
    await world.write(first, 1, 0, block(1, 2))
    await promise(world, first, SLICE, epoch(2))
    const known = { ...knownOf(first), folderId: 'another' }
    await world.run(first.close())
    const loss = { known, accept: 'loss', volumesHeld: held(1, 2), newFolderId: 'new' } as const
    return { world, store: await world.open(loss) }
  }

  it('ID4 what is there is set aside, whole, and a second time beside the first', async () => {
    const { world, store } = await lose()
    expect(store.folderId).toBe('new')
    const aside = world.disk.filePaths().filter((path) => path.startsWith('set-aside-1/'))
    const names = ['data/000000', 'index.A', 'index.B', 'journal', 'super']
    expect(aside.sort()).toEqual(names.map((name) => `set-aside-1/${name}`))
    const known = { ...knownOf(store), folderId: 'yet another' }
    await world.run(store.close())
    await world.open({ known, accept: 'loss', newFolderId: 'newer' })
    expect(world.disk.filePaths()).toContain('set-aside-2/super')
  })

  it('ID4 a good folder is not given up, though the word is said', async () => {
    const world = new World()
    const store = await world.open()
    await world.write(store, 1, 0, block(1))
    const known = knownOf(store)
    const again = await world.reopen(store, { known, accept: 'loss', volumesHeld: held(1) })
    expect((await world.read(again, 1, 0)).into).toEqual(block(1))
    expect(world.disk.filePaths().some((path) => path.startsWith('set-aside'))).toBe(false)
  })

  it('LP1 what is unmapped of it reads as zeros, and everything else stays lost', async () => {
    const { world, store: made } = await lose()
    let store = made
    for (const unmap of [
      write(1, 3 * PAGE_BYTES, null, PAGE_BYTES),
      write(1, 5 * PAGE_BYTES + BLOCK_BYTES, null, BLOCK_BYTES),
      // What lies between the first and the last run of a long range may be of another slice.
      write(1, RUN_BYTES, null, 5 * RUN_BYTES),
    ]) {
      expect(await world.run(store.write(unmap))).toBe('done')
    }
    const isLost = async (page: number, blockAt = 0) =>
      (await world.read(store, 1, page * PAGE_BYTES + blockAt * BLOCK_BYTES)).result === 'damaged'
    for (let pass = 0; pass < 2; pass += 1) {
      for (const page of [2, 4, 32, 79, 96]) expect(await isLost(page)).toBe(true)
      for (const page of [3, 16, 31, 80, 95]) expect(await isLost(page)).toBe(false)
      expect([await isLost(5, 0), await isLost(5, 1), await isLost(5, 2)]).toEqual([
        true,
        false,
        true,
      ])
      store = await world.reopen(store, { newFolderId: 'x' })
    }
  })

  it('LP1 HW6 everything of its volumes is damaged until it is overwritten, block by block, through restarts', async () => {
    const { world, store } = await lose()
    expect(store.losses().volumes).toEqual([1, 2])
    for (const offset of [0, 5 * PAGE_BYTES, 70_000 * PAGE_BYTES]) {
      expect((await world.read(store, 1, offset)).result).toBe('damaged')
    }
    await world.write(store, 1, BLOCK_BYTES, block(9))
    expect((await world.read(store, 1, BLOCK_BYTES)).into).toEqual(block(9))
    expect((await world.read(store, 1, 0)).result).toBe('damaged')
    const again = await world.reopen(store, { newFolderId: 'x' })
    expect((await world.read(again, 1, BLOCK_BYTES)).into).toEqual(block(9))
    expect((await world.read(again, 1, 0)).result).toBe('damaged')
    expect((await world.read(again, 1, 2 * BLOCK_BYTES)).result).toBe('damaged')
    expect((await world.read(again, 1, PAGE_BYTES)).result).toBe('damaged')
    // Zeros that are written are bytes like others.
    await world.write(again, 1, 0, block(0))
    const last = await world.reopen(again)
    expect((await world.read(last, 1, 0)).into).toEqual(block(0))
  })

  it('LP1 what is unmapped reads as zeros, of a block, a page or more; the rest stays lost', async () => {
    const { world, store } = await lose()
    const unmap = (offset: number, bytes: number) =>
      world.run(store.write(write(2, offset, null, bytes)))
    await unmap(BLOCK_BYTES, BLOCK_BYTES)
    await unmap(RUN_BYTES, 2 * PAGE_BYTES)
    const check = async (opened: PageStore) => {
      expect((await world.read(opened, 2, BLOCK_BYTES)).into).toEqual(block(0))
      expect((await world.read(opened, 2, 0)).result).toBe('damaged')
      const whole = await world.read(opened, 2, RUN_BYTES, 2 * PAGE_BYTES)
      expect(whole).toEqual({ result: 'done', into: new Uint8Array(2 * PAGE_BYTES) })
      expect((await world.read(opened, 2, RUN_BYTES + 2 * PAGE_BYTES)).result).toBe('damaged')
    }
    await check(store)
    const again = await world.reopen(store)
    await check(again)
    // A page that was unmapped as a whole takes no room.
    expect(again.volumeUsages()(volumeId(2)).pages).toBe(1)
    // Written and unmapped again, it is not lost again.
    await world.write(again, 2, RUN_BYTES, block(3))
    const third = await world.reopen(again)
    await world.run(third.write(write(2, RUN_BYTES, null, PAGE_BYTES)))
    expect((await world.read(await world.reopen(third), 2, RUN_BYTES)).into).toEqual(block(0))
  })

  it('LP2 a volume that was made later is not concerned; one that is dropped is forgotten', async () => {
    const { world, store } = await lose()
    expect((await world.read(store, 3, 0)).into).toEqual(block(0))
    expect(store.volumes().sort()).toEqual([1, 2])
    await world.run(store.dropVolume(volumeId(1)))
    const again = await world.reopen(store)
    expect(again.losses().volumes).toEqual([2])
    expect((await world.read(again, 1, 0)).into).toEqual(block(0))
  })

  it('LP2 what a volume has grown by is not concerned, and a volume of which nothing is lost any more is forgotten', async () => {
    const world = new World()
    const known: KnownFolder = { folderId: 'gone', position: 0, openAs: null, epochs: new Map() }
    const volumesHeld = [{ volume: volumeId(1), pages: 20, held: 2 }]
    let store = await world.open({ known, accept: 'loss', volumesHeld })
    expect((await world.read(store, 1, 19 * PAGE_BYTES)).result).toBe('damaged')
    expect((await world.read(store, 1, 20 * PAGE_BYTES)).into).toEqual(block(0))
    await world.write(store, 1, 17 * PAGE_BYTES, block(1))
    store = await world.reopen(store)
    expect(store.losses().volumes).toEqual([1])
    await world.run(store.write(write(1, 18 * PAGE_BYTES, null, PAGE_BYTES)))
    store = await world.reopen(store)
    expect(store.losses().volumes).toEqual([])
    // The rest of the page that was overwritten in part is damage of its blocks, as before.
    expect((await world.read(store, 1, 17 * PAGE_BYTES)).into).toEqual(block(1))
    expect((await world.read(store, 1, 17 * PAGE_BYTES + BLOCK_BYTES)).result).toBe('damaged')
  })

  it('LP3 pages that others have are not lost, also after a restart', async () => {
    const world = new World()
    const known: KnownFolder = { folderId: 'gone', position: 0, openAs: null, epochs: new Map() }
    const isHeld = (page: number) => page % 4 === 0
    const volumesHeld = [{ volume: volumeId(1), pages: 20, held: 5, isHeld }]
    let store = await world.open({ known, accept: 'loss', volumesHeld })
    for (let life = 0; life < 2; life += 1) {
      expect((await world.read(store, 1, 8 * PAGE_BYTES)).result).toBe('damaged')
      expect((await world.read(store, 1, 9 * PAGE_BYTES)).into).toEqual(block(0))
      store = await world.reopen(store)
    }
    for (const page of [0, 4, 8, 12])
      await world.run(store.write(write(1, page * PAGE_BYTES, null, PAGE_BYTES)))
    expect(store.losses().volumes).toEqual([1])
    await world.run(store.write(write(1, 16 * PAGE_BYTES, null, PAGE_BYTES)))
    expect(store.losses().volumes).toEqual([])
  })

  it('ID4 LP1 the power may be cut at any step of it: then it is refused, or all is lost, and never zeros', async () => {
    for (let after = 1; ; after += 1) {
      const { world, cut } = await cutWhileLosing(after)
      if (!cut) {
        expect(after).toBeGreaterThan(20)
        return
      }
      const known: KnownFolder = {
        folderId: 'another',
        position: 0,
        openAs: null,
        epochs: new Map(),
      }
      await expect(world.open({ known })).rejects.toThrow(/--accept-loss m1/)
      const again = { known, accept: 'loss', volumesHeld: held(1), newFolderId: 'newer' } as const
      const store = await world.open(again)
      expect((await world.read(store, 1, 0)).result).toBe('damaged')
      // Whatever was cut, the old journal is somewhere.
      const journals = world.disk
        .filePaths()
        .filter((path) => /^set-aside-\d+\/journal$/.test(path))
      expect(journals.some((path) => world.disk.peek(path).includes(77))).toBe(true)
    }
  })

  async function cutWhileLosing(after: number): Promise<{ world: World; cut: boolean }> {
    const world = new World({ homeAfterMs: 1e9, journalBytes: 96 * 1024 })
    const first = await world.open()
    await world.write(first, 1, 0, block(77))
    await promise(world, first, SLICE, epoch(2))
    world.disk.crash(() => 0)
    let cut = false
    void world.disk.cutAfter(after).then(() => {
      cut = true
    })
    const known: KnownFolder = { folderId: 'another', position: 0, openAs: null, epochs: new Map() }
    const loss = { known, accept: 'loss', volumesHeld: held(1), newFolderId: 'new' } as const
    const settings = { ...world.settings, ...loss }
    void PageStore.open(world.disk, new SimClock(world.timeline), settings)
    await world.timeline.run(world.timeline.nowMs + 1_000)
    world.disk.crash((choices) => (after % 2 === 0 ? 0 : choices - 1))
    return { world, cut }
  }
})

describe('a segment that is lost', () => {
  /** Pages 0 and 1 in the first segment, page 2 in the second. */
  async function three(): Promise<World> {
    const world = new World()
    const store = await world.open()
    for (const page of [0, 1, 2]) await world.write(store, 1, page * PAGE_BYTES, block(page + 1))
    await world.run(store.close())
    return world
  }

  it('SL4 missing it is told, its pages are damaged and nothing is made in its place; put back it is whole', async () => {
    const world = await three()
    const bytes = world.disk.peek(paths.segment(0))
    await world.disk.remove(paths.segment(0))
    let store = await world.open()
    expect(store.recovery.damage).toMatch(/Segment 'data\/000000' is missing: its 2 pages/)
    expect(store.losses().segments).toEqual([{ path: 'data/000000', reason: 'missing', pages: 2 }])
    expect((await world.read(store, 1, 0)).result).toBe('damaged')
    expect((await world.read(store, 1, PAGE_BYTES)).result).toBe('damaged')
    expect((await world.read(store, 1, 2 * PAGE_BYTES)).into).toEqual(block(3))
    // Another page is written; it goes elsewhere.
    await world.write(store, 2, 0, block(7))
    store = await world.reopen(store)
    expect(world.disk.filePaths()).not.toContain(paths.segment(0))
    await world.run(store.close())
    const file = await world.disk.open(paths.segment(0), 'create')
    await file.write([bytes], 0)
    store = await world.open()
    expect(store.recovery.damage).toBeNull()
    expect((await world.read(store, 1, 0)).into).toEqual(block(1))
    expect((await world.read(store, 2, 0)).into).toEqual(block(7))
  })

  it('SL4 HW6 a page of it that is overwritten moves, and what was not written of it stays damaged', async () => {
    const world = await three()
    await world.disk.remove(paths.segment(0))
    let store = await world.open()
    await world.write(store, 1, BLOCK_BYTES, block(8))
    expect((await world.read(store, 1, 0)).result).toBe('damaged')
    store = await world.reopen(store)
    expect((await world.read(store, 1, BLOCK_BYTES)).into).toEqual(block(8))
    expect((await world.read(store, 1, 0)).result).toBe('damaged')
    expect(store.losses().segments).toMatchObject([{ pages: 1 }])
    await world.run(store.dropVolume(volumeId(1)))
    store = await world.reopen(store)
    store = await world.reopen(store)
    expect(store.losses().segments).toEqual([])
    expect((await world.read(store, 1, 0)).into).toEqual(block(0))
  })

  it.each([
    [
      'short',
      async (world: World) => {
        const file = await world.disk.open(paths.segment(0), 'existing')
        await file.truncate(file.sizeBytes() - 1)
      },
    ],
    [
      'not its own',
      async (world: World) => {
        const bytes = world.disk.peek(paths.segment(1))
        await (await world.disk.open(paths.segment(0), 'existing')).write([bytes], 0)
      },
    ],
  ] as const)('SL4 a segment that is %s is as good as missing', async (reason, spoil) => {
    const world = await three()
    await spoil(world)
    const store = await world.open()
    expect(store.losses().segments).toMatchObject([{ path: 'data/000000', reason }])
    expect((await world.read(store, 1, 0)).result).toBe('damaged')
  })
})
