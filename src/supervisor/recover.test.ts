import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  type Epoch,
  epoch,
  generation,
  type MemberId,
  memberId,
  revision,
  type SliceId,
  sessionId,
  sliceId,
  volumeId,
} from '../base/ids.ts'
import { openSeen, writeCopy, writeSeen } from '../coordination/record-copy.ts'
import { DEFAULT_AUTHORITY, foundGroup } from '../group/founding.ts'
import { type GroupRecord, keys, RECORD_FORMAT } from '../group/record.ts'
import { volumeCounterKey } from '../group/volumes.ts'
import { SystemClock } from '../io/clock.ts'
import { FolderDisk } from '../io/disk.ts'
import { FolderInUse, lockFolder } from '../io/folder-lock.ts'
import { readStore, writeStore } from '../io/sqlite-files.ts'
import { PageStore } from '../store/page-store.ts'
import { storeDefaults } from '../store/settings.ts'
import { backUpRecord } from './backup.ts'
import type { GroupPlan } from './plan.ts'
import { CannotRecover, recoverRecord } from './recover.ts'
import { refuseWrongRecord } from './refusals.ts'

const group: GroupRecord = {
  format: RECORD_FORMAT,
  name: 'lab',
  groupId: 'g',
  incarnation: 'first',
  lineage: [],
  slices: 2,
  namingAuthority: DEFAULT_AUTHORITY,
}
const items = [
  ...foundGroup(group, [memberId('m1'), memberId('m2')]).flatMap(({ put }) => put),
  ...['m1', 'm2'].map(memberId).map((id) => ({
    key: keys.member(id),
    value: JSON.stringify({ id, bootId: 'b', portal: '', peer: '', api: '', draining: false }),
  })),
]
const contents = (rev: number) => ({
  rev: revision(rev),
  items: items.map((item) => ({ ...item, rev: revision(1), created: revision(1) })),
})
const at = '2026-11-29T12:34:56.789Z'
let data = ''
let file = ''

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'evenkeel-recover-'))
  file = join(data, 'coordination.sqlite')
})

afterEach(() => rmSync(data, { recursive: true }))

/** A store that knows session `session`, and pages of volume `volume`. */
async function store(
  id: MemberId,
  session: number,
  volume: number,
  promised: readonly (readonly [SliceId, Epoch])[] = [],
  under = epoch(1),
): Promise<void> {
  const disk = new FolderDisk(join(data, id))
  const identity = { groupId: 'g', memberId: id, newFolderId: id }
  const small = { journalBytes: 2 ** 20, slotsPerSegment: 2, overlayBytes: 2 ** 19 }
  const settings = { ...storeDefaults, ...identity, ...small }
  const open = await PageStore.open(disk, new SystemClock(), settings)
  const data4k = new Uint8Array(4096).fill(1)
  const where = { volume: volumeId(volume), offset: 0, bytes: 4096, data: data4k, edges: null }
  const order = { slice: sliceId(1), epoch: under, seq: 1, number: 1, acknowledged: 0 }
  const whose = { session: sessionId(session), gen: generation(1) }
  if (promised.length > 0) expect(await open.promise(new Map(promised))).toBe('done')
  expect(await open.write({ ...where, ...order, ...whose })).toBe('done')
  await open.close()
}

/** A folder that has seen one revision and keeps a copy of another. */
async function folder(id: MemberId, seen: number, copied: number): Promise<void> {
  mkdirSync(join(data, id))
  const disk = new FolderDisk(join(data, id))
  const who = { groupId: 'g', incarnation: 'first' }
  await writeCopy(disk, {
    ...{ ...who, revision: revision(copied), memberId: id },
    items: items.map(({ key, value }) => [key, value] as const),
  })
  const file = await openSeen(disk)
  await writeSeen(file, { ...who, revision: revision(seen) }, 0)
  await file.close()
}

const plan = (): GroupPlan => ({
  ...{ members: 2, dataFolder: data, basePort: 1, copies: null, placement: 'on', balance: null },
  ...{
    policy: {},
    budgetBytes: null,
    cacheBytes: 0,
    acceptDamage: [],
    acceptLoss: [],
    temporaryFolder: data,
  },
})
const recover = (without: readonly MemberId[] = []) =>
  recoverRecord({ dataFolder: data, without, at })

it('RV2 a file is rebuilt, and what was there is set aside with its parts', async () => {
  await folder(memberId('m1'), 57, 50)
  await folder(memberId('m2'), 41, 41)
  writeFileSync(file, 'nothing that could be read')
  writeFileSync(`${file}-wal`, 'nor this')
  expect(await recover()).toMatchObject({
    ...{ file, groupId: 'g', revision: 2 ** 32, seen: 57 },
    from: { member: memberId('m1'), revision: 50 },
    setAside: expect.arrayContaining([
      `${file}.old-20261129T123456Z`,
      `${file}.old-20261129T123456Z-wal`,
    ]),
  })
  const store = readStore(file)
  expect(store.rev).toBe(2 ** 32)
  expect(store.items.map(({ key }) => key)).toContain(keys.member(memberId('m2')))
  const old = readFileSync(`${file}.old-20261129T123456Z`, 'utf8')
  expect(old).toBe('nothing that could be read')
  // Once is enough.
  await expect(recover()).rejects.toThrow(/nothing to recover/)
})

it('RV2 what cannot be rebuilt leaves everything as it was', async () => {
  mkdirSync(join(data, 'm1'))
  writeFileSync(file, 'nothing that could be read')
  await expect(recover()).rejects.toThrow(CannotRecover)
  expect(readdirSync(data)).toContain('coordination.sqlite')
  expect(readFileSync(file, 'utf8')).toBe('nothing that could be read')
  await expect(recoverRecord({ dataFolder: join(data, 'x'), without: [], at })).rejects.toThrow(
    /no member's folder in .*--data/,
  )
})

it('RV1 a folder in use, of a member or of the launcher, is refused before anything is read', async () => {
  await folder(memberId('m1'), 57, 50)
  await folder(memberId('m2'), 41, 41)
  for (const used of [data, join(data, 'm2')]) {
    const lock = lockFolder(used)
    await expect(recover()).rejects.toThrow(FolderInUse)
    lock.release()
  }
  expect(existsSync(file)).toBe(false)
})

it('RV3 a sound file that is as new as all has been seen is left alone; an older one is not', async () => {
  await folder(memberId('m1'), 57, 50)
  await folder(memberId('m2'), 41, 41)
  writeStore(file, contents(57))
  await expect(recover()).rejects.toThrow(/is sound, and as new as everything/)
  rmSync(file)
  writeStore(file, contents(56))
  expect((await recover()).setAside).toHaveLength(1)
})

it('RV3 G28 a file that a member would refuse by what its store knows is not sound', async () => {
  await folder(memberId('m1'), 57, 50)
  await folder(memberId('m2'), 41, 41)
  await store(memberId('m2'), 61, 3)
  for (const [rev, last, isSound] of [
    [61, 3, true],
    [60, 3, false],
    [61, 2, false],
  ] as const) {
    rmSync(file, { force: true })
    const counter = {
      key: volumeCounterKey,
      value: String(last),
      rev: revision(1),
      created: revision(1),
    }
    writeStore(file, { rev: revision(rev), items: [...contents(rev).items, counter] })
    const refused = await refuseWrongRecord(plan()).then(
      () => null,
      ({ message }) => message,
    )
    if (isSound) {
      expect(refused).toBeNull()
      await expect(recover()).rejects.toThrow(/is sound, and as new as everything/)
    } else {
      expect(refused).toMatch(/an older one: .* m2 has .*evenkeel recover/)
      expect(await recover()).toMatchObject({ revision: 2 ** 32, seen: 61 })
      // What was rebuilt is accepted.
      await refuseWrongRecord(plan())
    }
  }
})

it('RV3 G26 after two starts an older file is known by its epochs, also if nothing else is left; it is recovered from itself', async () => {
  await folder(memberId('m1'), 57, 50)
  await folder(memberId('m2'), 41, 41)
  await store(memberId('m2'), 1, 0, [[sliceId(1), epoch(3)]])
  for (const id of ['m1', 'm2']) for (const name of ['record', 'seen']) rmSync(join(data, id, name))
  writeStore(file, contents(30))
  await expect(refuseWrongRecord(plan())).rejects.toThrow(
    /older one: slice 1 has epoch 1 there, and m2 was about to raise it to 3\./,
  )
  expect(await recover()).toMatchObject({ from: { member: 'the file itself' }, revision: 2 ** 32 })
  await refuseWrongRecord(plan())
})

it('RV3 G26 after one start an older file is known by the epoch under which something was written', async () => {
  await store(memberId('m2'), 1, 0, [[sliceId(1), epoch(2)]], epoch(2))
  writeStore(file, contents(30))
  await expect(refuseWrongRecord(plan())).rejects.toThrow(
    /older one: slice 1 has epoch 1 there, and m2 has carried out writes under epoch 2\./,
  )
})

it('V6 a file that is damaged, locked, without a group or older than any member has seen is refused, and nothing changes', async () => {
  // Nobody has seen anything: it is the members' to found a group.
  await refuseWrongRecord(plan())
  await folder(memberId('m1'), 41, 41)
  await folder(memberId('m2'), 57, 50)
  const refuses = (says: RegExp) => expect(refuseWrongRecord(plan())).rejects.toThrow(says)
  await refuses(/is missing; .* Nothing was touched\.$/)
  writeFileSync(file, '')
  await refuses(/is empty; .* Nothing was touched\.$/)
  writeFileSync(file, 'x'.repeat(5000))
  await refuses(/is damaged \(.*Nothing was touched\.$/)
  rmSync(file)
  writeStore(file, { rev: revision(60), items: [] })
  await refuses(/holds no group\. .*evenkeel recover/)
  rmSync(file)
  writeStore(file, contents(56))
  const before = readFileSync(file)
  await refuses(/at revision 56, and m2 has seen revision 57\. .*Nothing was touched\.$/)
  expect(readFileSync(file).equals(before)).toBe(true)
  expect(readdirSync(join(data, 'm2')).toSorted()).toEqual(['record', 'seen'])
  rmSync(file)
  writeStore(file, contents(57))
  await refuseWrongRecord(plan())
  const other = new DatabaseSync(file)
  other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  await refuses(/is locked by another program\. .*Nothing was touched\.$/)
  other.close()
}, 20_000)

it('V6 a folder that the file names and that is missing is refused before anybody starts, unless its loss is accepted', async () => {
  await folder(memberId('m1'), 41, 41)
  const at = { rev: revision(1), created: revision(1) }
  const known = { folderId: 'f', position: 9, openAs: null, at: '' }
  const named = { key: keys.folder(memberId('m2')), value: JSON.stringify(known), ...at }
  writeStore(file, { rev: revision(57), items: [...contents(57).items, named] })
  await expect(refuseWrongRecord(plan())).rejects.toThrow(
    /Member m2 did not start: The data folder of m2 is empty, but the group knows .*--accept-loss m2/,
  )
  await refuseWrongRecord({ ...plan(), acceptLoss: [memberId('m2')] })
  mkdirSync(join(data, 'm2'))
  writeFileSync(join(data, 'm2', 'super'), '')
  await refuseWrongRecord(plan())
})

it('RV4 a member whose folder is missing is left out only by word', async () => {
  await folder(memberId('m1'), 57, 50)
  await expect(recover()).rejects.toThrow(/m2. Are their disks mounted\? .*--without m2/)
  expect(await recover([memberId('m2')])).toMatchObject({
    without: [memberId('m2')],
    members: [memberId('m1')],
  })
})

it('RV5 a backup in the place of the file counts where no member has a copy, and only there', async () => {
  await folder(memberId('m1'), 57, 50)
  await folder(memberId('m2'), 41, 41)
  writeStore(file, contents(30))
  for (const id of ['m1', 'm2']) rmSync(join(data, id, 'record'))
  expect(await recover()).toMatchObject({
    from: { member: 'the file itself', revision: 30 },
    ...{ seen: 57, revision: 2 ** 32 },
  })
})

it('a backup is a whole file with its revision, and replaces none', async () => {
  writeStore(file, contents(57))
  const to = join(data, 'backup')
  expect(backUpRecord(data, to)).toMatchObject({ revision: 57, groupId: 'g', volumes: 0 })
  expect(readStore(to).rev).toBe(57)
  expect(() => backUpRecord(data, to)).toThrow(/EEXIST/)
  expect(() => backUpRecord(join(data, 'x'), join(data, 'b'))).toThrow(/is missing/)
  expect(existsSync(join(data, 'b'))).toBe(false)
})
