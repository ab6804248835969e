// A member's data folder and what the group's record says of it, on the simulated disk and coordinator.
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination } from '../../sim/coordinator.ts'
import { SimDisk } from '../../sim/disk.ts'
import { Timeline } from '../../sim/timeline.ts'
import { SLICE, settings as storeSettings, write } from '../../test/kit/store-world.ts'
import { memberId, revision, type SliceId, sliceId, volumeId } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { writeFolder } from '../group/folders.ts'
import { DEFAULT_AUTHORITY } from '../group/founding.ts'
import { parseFolder } from '../group/parse.ts'
import { type GroupRecord, keys, RECORD_FORMAT } from '../group/record.ts'
import { volumeCounterKey } from '../group/volumes.ts'
import { DataFolder } from './data-folder.ts'
import type { FolderSettings } from './folder-opening.ts'

const MARK_MS = 1_000
const group: GroupRecord = {
  format: RECORD_FORMAT,
  name: 'lab',
  groupId: storeSettings.groupId,
  incarnation: 'first',
  lineage: [],
  slices: 2,
  namingAuthority: DEFAULT_AUTHORITY,
}
const LOSE_NOTHING = { loseRequestChance: 0, loseAnswerChance: 0, lateChance: 0 }

function bench() {
  const timeline = new Timeline()
  const coordination = new SimCoordination(new SimClock(timeline), new Prng(1))
  const operator = coordination.handle('operator')
  const record = () => {
    const item = coordination.inspect(keys.folder(memberId('m1')))[0]
    const parsed = item === undefined ? null : parseFolder(item.value)
    if (typeof parsed === 'string') throw new Error(parsed)
    return parsed === null ? null : { rev: item?.rev ?? 0, ...parsed }
  }
  let disk = new SimDisk()
  const mount = (another: SimDisk) => {
    disk = another
  }
  let folders = 0
  const told: string[] = []
  const open = (own: Partial<FolderSettings> = {}, coordinator?: Coordinator) => {
    folders += 1
    const clock = new SimClock(timeline)
    const handle = coordinator ?? coordination.handle('m1')
    const deps = {
      ...{ clock, disk, coordinator: handle, markEveryMs: MARK_MS },
      told: (sentence: string) => told.push(sentence),
    }
    const settings = { ...storeSettings, newFolderId: `f${folders}`, volumesOn: () => [], ...own }
    return DataFolder.open(deps, settings, group)
  }
  const dirty = (folder: DataFolder) =>
    timeline.finish(folder.store.write(write(1, 0, new Uint8Array(4096).fill(1))))
  /** Those of which `dirty` writes. */
  const giveSessions = async () => {
    while (coordination.rev < 5) {
      await timeline.finish(operator.txn({ put: [{ key: keys.policy, value: '{}' }] }))
    }
  }
  const giveVolumes = () =>
    timeline.finish(operator.txn({ put: [{ key: volumeCounterKey, value: '1' }] }))
  const giveSlices = () => {
    const value = JSON.stringify({ epoch: 1, primary: 'm1', inSync: ['m1'], want: ['m1'], min: 1 })
    return timeline.finish(operator.txn({ put: [{ key: keys.slice(SLICE), value }] }))
  }
  /** The slice of `dirty`, and how often its record was written. */
  const giveCopies = async (primary: string, inSync: readonly string[], epoch = 1) => {
    const value = JSON.stringify({ epoch, primary, inSync, want: ['m1', 'm2'], min: 1 })
    await timeline.finish(operator.txn({ put: [{ key: keys.slice(SLICE), value }] }))
    return coordination.inspect(keys.slice(SLICE))[0]?.rev ?? 0
  }
  const sliceRev = () => coordination.inspect(keys.slice(SLICE))[0]?.rev ?? 0
  /** A folder with one page that both have, closed. */
  const written = async () => {
    await giveSessions()
    await giveVolumes()
    await giveCopies('m2', ['m2', 'm1'])
    const folder = await timeline.finish(open())
    await dirty(folder)
    await timeline.finish(folder.close())
    return folder.store.folderId
  }
  const pass = (ms: number) => timeline.run(timeline.nowMs + ms)
  return {
    timeline,
    coordination,
    operator,
    record,
    disk,
    mount,
    open,
    dirty,
    pass,
    giveSessions,
    giveVolumes,
    giveSlices,
    giveCopies,
    sliceRev,
    written,
    told,
  }
}

describe('the data folder of a member', () => {
  it('DF1 is named by the record before it is used; and whoever dies before that begins again with it', async () => {
    const b = bench()
    b.coordination.set({ ...LOSE_NOTHING, loseRequestChance: 1 })
    const opening = b.open()
    await b.pass(500)
    expect(b.record()).toBeNull()
    // It dies here; the folder is made, and nobody knows it.
    expect(b.disk.filePaths()).toEqual([])
    b.coordination.set(LOSE_NOTHING)
    const folder = await b.timeline.finish(opening)
    expect(b.record()).toMatchObject({ folderId: folder.store.folderId })
  })

  it('DF6 of a slice with copies the epoch that recovery gave makes no store an older copy; one that a primary raised does', async () => {
    const b = bench()
    const folder = await b.timeline.finish(b.open())
    await b.timeline.finish(folder.close())
    const items = [...b.coordination.inspect('')]
    const rev = revision(2 ** 32)
    const inSync = ['m1', 'm2']
    const slice = { epoch: 9, primary: 'm1', inSync, want: inSync, min: 1 }
    const written = { value: JSON.stringify(slice), rev, created: rev }
    b.coordination.restore({ rev, items: [...items, { key: keys.slice(SLICE), ...written }] })
    const again = await b.timeline.finish(b.open())
    await b.timeline.finish(again.close())
    const put = [{ key: keys.slice(SLICE), value: JSON.stringify({ ...slice, epoch: 10 }) }]
    await b.timeline.finish(b.coordination.handle('o').txn({ put }))
    void b.open()
    await b.pass(1_000)
    expect(b.told).toEqual([expect.stringMatching(/older than what the group has seen/)])
  })

  it('DF1 a crash between the folder and its record leaves a folder that is taken', async () => {
    const b = bench()
    const handle = b.coordination.handle('m1')
    const silent: Coordinator = {
      txn: (transaction) =>
        transaction.put === undefined ? handle.txn(transaction) : new Promise(() => {}),
      list: (prefix) => handle.list(prefix),
      watch: (prefix, afterRev) => handle.watch(prefix, afterRev),
      lost: null,
      nudge: () => {},
      close: () => handle.close(),
    }
    void b.open({}, silent)
    await b.pass(500)
    expect(b.disk.filePaths()).toContain('super')
    expect(b.record()).toBeNull()
    b.disk.crash((choices) => choices - 1)
    const folder = await b.timeline.finish(b.open())
    expect(folder.store.folderId).toBe('f1')
    expect(b.record()?.folderId).toBe('f1')
  })

  it('G12 DF1 an outcome that is unknown is looked up, and taken for what it is', async () => {
    const b = bench()
    b.coordination.set({ ...LOSE_NOTHING, loseAnswerChance: 0.5 })
    const folder = await b.timeline.finish(b.open())
    b.coordination.set(LOSE_NOTHING)
    expect(b.record()?.folderId).toBe(folder.store.folderId)
  })

  it('DF2 leaves marks while something is written, none while nothing is, and one when it stops', async () => {
    const b = bench()
    const folder = await b.timeline.finish(b.open())
    const first = b.record()
    await b.pass(5 * MARK_MS)
    expect(b.record()?.rev).toBe(first?.rev)
    await b.dirty(folder)
    await b.pass(2 * MARK_MS)
    expect(b.record()?.position).toBe(folder.store.position)
    const marked = b.record()?.rev
    await b.pass(5 * MARK_MS)
    expect(b.record()?.rev).toBe(marked)
    await b.dirty(folder)
    await b.timeline.finish(folder.close())
    expect(b.record()?.position).toBe(folder.store.position)
    expect(b.record()?.rev).toBeGreaterThan(marked ?? 0)
  })

  it('DF2 a stop does not wait for a coordinator that is away', async () => {
    const b = bench()
    const folder = await b.timeline.finish(b.open())
    await b.dirty(folder)
    b.coordination.cut('m1', 'hold')
    const began = b.timeline.nowMs
    await b.timeline.finish(folder.close())
    expect(b.timeline.nowMs - began).toBeLessThan(3_000)
  })

  it('G12 a mark of an earlier life that comes late lowers nothing', async () => {
    const b = bench()
    const folder = await b.timeline.finish(b.open())
    await b.dirty(folder)
    await b.pass(2 * MARK_MS)
    const now = b.record()
    const late = { folderId: 'f1', position: 1, openAs: null, at: '' }
    const stale = writeFolder(memberId('m1'), revision((now?.rev ?? 0) - 1), late)
    expect(await b.timeline.finish(b.operator.txn(stale))).toMatchObject({ kind: 'lost' })
    expect(b.record()).toEqual(now)
  })

  it('DF1 DF5 the record says as which file it is open, and that it was closed once nothing is written any more', async () => {
    const b = bench()
    await b.giveSessions()
    await b.giveVolumes()
    await b.giveSlices()
    const folder = await b.timeline.finish(b.open())
    const own = await b.timeline.finish(b.disk.identityOf('super'))
    expect(b.record()?.openAs).toBe(own)
    await b.dirty(folder)
    await b.pass(2 * MARK_MS)
    expect(b.record()?.openAs).toBe(own)
    const copy = b.disk.copy()
    await b.timeline.finish(folder.close())
    expect(b.record()).toMatchObject({ openAs: null, position: folder.store.position })
    const { rev } = b.record() ?? { rev: 0 }
    // It dies, and a copy of its files is put in the place.
    await b.timeline.finish(b.open())
    expect(b.record()?.openAs).toBe(own)
    // What the life before says late does not count.
    const late = { folderId: 'f1', position: folder.store.position, openAs: null, at: '' }
    const said = await b.timeline.finish(
      b.operator.txn(writeFolder(memberId('m1'), revision(rev), late)),
    )
    expect(said.kind).toBe('lost')
    b.mount(copy)
    await expect(b.timeline.finish(b.open())).rejects.toThrow(/m1 is a copy of the one/)
    const accepted = await b.timeline.finish(b.open({ accept: 'damage' }))
    expect(b.record()?.openAs).toBe(`copy of ${own}`)
    await b.timeline.finish(accepted.close())
  })

  it('DF5 a stop that could not be told leaves the folder open', async () => {
    const b = bench()
    const folder = await b.timeline.finish(b.open())
    b.coordination.cut('m1', 'hold')
    await b.timeline.finish(folder.close())
    expect(b.record()?.openAs).not.toBeNull()
  })

  it('DF3 a member stops when the record names another folder', async () => {
    const b = bench()
    const folder = await b.timeline.finish(b.open())
    const other = { folderId: 'elsewhere', position: 1, openAs: null, at: '' }
    await b.timeline.finish(
      b.operator.txn(writeFolder(memberId('m1'), revision(b.record()?.rev ?? 0), other)),
    )
    await b.dirty(folder)
    await b.pass(2 * MARK_MS)
    expect(await b.timeline.finish(folder.failed)).toMatch(/names elsewhere since/)
    expect(b.record()?.folderId).toBe('elsewhere')
  })

  it('DF4 a record that has not come to a session or an epoch of which writes are here is refused, and nothing is marked in it', async () => {
    const b = bench()
    const folder = await b.timeline.finish(b.open())
    await b.dirty(folder)
    await b.timeline.finish(folder.close())
    const before = b.record()
    expect(folder.store.rememberedSessions()).toEqual([5])
    expect(b.coordination.rev).toBeLessThan(5)
    const position = folder.store.position
    await expect(b.timeline.finish(b.open())).rejects.toThrow(/writes of session 5\..*recover/)
    expect(b.record()).toEqual(before)
    await b.giveSessions()
    await expect(b.timeline.finish(b.open())).rejects.toThrow(
      /id 0, .* pages of volume 1\..*recover/,
    )
    await b.giveVolumes()
    await expect(b.timeline.finish(b.open())).rejects.toThrow(
      /epoch 0 there, .* writes under epoch 1\..*recover/,
    )
    await b.giveSlices()
    const again = await b.timeline.finish(b.open())
    // Recovery skips a ring each time that it changes the folder.
    const ring = storeSettings.journalBytes / 512
    expect(again.store.position - position).toBeLessThan(3 * ring)
  })

  it('a loss that is accepted is what the group knows from then on', async () => {
    const b = bench()
    await b.giveSlices()
    await b.timeline.finish((await b.timeline.finish(b.open())).close())
    await b.disk.remove('super')
    await expect(b.timeline.finish(b.open())).rejects.toThrow(/lacks 'super'/)
    const anew = await b.timeline.finish(
      b.open({
        accept: 'loss',
        volumesOn: () => [{ name: 'four', volume: volumeId(4), pages: 9, held: 3 }],
      }),
    )
    expect(b.record()?.folderId).toBe(anew.store.folderId)
    await b.timeline.finish(anew.close())
    const again = await b.timeline.finish(b.open())
    expect(again.store.losses().volumes).toEqual([4])
  })
})

describe('a data folder that lacks something of slices that others have in sync', () => {
  const settled = (opening: Promise<DataFolder>) => {
    const state = { isOver: false }
    const over = () => {
      state.isOver = true
    }
    opening.then(over, over)
    return state
  }

  it('DF7 DF8 begins anew, empty, when they have gone on without it, and nobody joins by what was proven before', async () => {
    const b = bench()
    const before = await b.written()
    b.mount(new SimDisk())
    const opening = b.open()
    const state = settled(opening)
    await b.pass(5_000)
    expect(state.isOver).toBe(false)
    expect(b.told).toEqual([
      expect.stringMatching(/is empty.* m2 has in sync .*of a slice:.*put one back/),
    ])
    const rev = await b.giveCopies('m2', ['m2'], 2)
    const folder = await b.timeline.finish(opening)
    expect(folder.store.folderId).not.toBe(before)
    expect(b.record()?.folderId).toBe(folder.store.folderId)
    expect(b.sliceRev()).toBeGreaterThan(rev)
    expect(folder.store.losses().volumes).toEqual([])
  })

  it('DF7 what it is the primary of is taken over first', async () => {
    const b = bench()
    await b.written()
    await b.giveCopies('m1', ['m1', 'm2'], 2)
    b.mount(new SimDisk())
    const opening = b.open()
    const state = settled(opening)
    await b.pass(5_000)
    expect(state.isOver).toBe(false)
    await b.giveCopies('m2', ['m2'], 3)
    await b.timeline.finish(opening)
  })

  it('DF9 is emptied of them if it is older than the group has seen it', async () => {
    const b = bench()
    const id = await b.written()
    const older = b.disk.clone()
    const folder = await b.timeline.finish(b.open())
    await b.dirty(folder)
    await b.timeline.finish(folder.close())
    b.mount(older)
    const opening = b.open()
    await b.pass(1_000)
    await b.giveCopies('m2', ['m2'], 2)
    const again = await b.timeline.finish(opening)
    expect(again.store.folderId).toBe(id)
    expect([...again.store.versions(SLICE)]).toEqual([])
    expect(again.store.newestOf(SLICE)).toEqual({ epoch: 2, seq: 0 })
  })

  it('DF9 is emptied of the slices of which recovery finds something lost, and of no other one', async () => {
    const b = bench()
    await b.written()
    b.disk.takeAway('data/000000')
    const opening = b.open()
    const state = settled(opening)
    await b.pass(1_000)
    expect(state.isOver).toBe(false)
    await b.giveCopies('m2', ['m2'], 2)
    const folder = await b.timeline.finish(opening)
    expect([...folder.store.recovery.damaged]).toEqual([SLICE])
    expect([...folder.store.versions(SLICE)]).toEqual([])
  })

  it('DF10 of what nobody else has an operator decides, by its name, and of nothing else', async () => {
    const b = bench()
    await b.written()
    const sole = sliceId(SLICE + 1)
    const value = JSON.stringify({
      ...{ epoch: 1, primary: 'm1', inSync: ['m1'], want: ['m1', 'm2'], min: 1 },
    })
    await b.timeline.finish(b.operator.txn({ put: [{ key: keys.slice(sole), value }] }))
    b.mount(new SimDisk())
    const volumesOn = (isOne: (slice: SliceId) => boolean) => [
      ...(isOne(SLICE) ? [{ name: 'both', volume: volumeId(4), pages: 9, held: 3 }] : []),
      ...(isOne(sole) ? [{ name: 'mine', volume: volumeId(5), pages: 9, held: 3 }] : []),
    ]
    await expect(b.timeline.finish(b.open({ volumesOn }))).rejects.toThrow(
      /is empty.*--accept-loss m1.*alone has all that was answered of 1 slices.*volume mine;/,
    )
    const opening = b.open({ volumesOn, accept: 'loss' })
    const state = settled(opening)
    await b.pass(1_000)
    expect(state.isOver).toBe(false)
    await b.giveCopies('m2', ['m2'], 2)
    expect((await b.timeline.finish(opening)).store.losses().volumes).toEqual([5])
  })
})
