// Data folders that are not the ones that the group knows, or not as new: moved away, not mounted, an older copy, emptied.
// The member does not serve from them and says what is wrong; nobody reads a wrong byte, least of all zeros.

import { cp, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { kill } from 'node:process'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { VolumeDetail } from '../../src/api/schema.ts'
import { memberId } from '../../src/base/ids.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import type { TestGroup } from '../kit/group.ts'
import { MarkedBlocks, MEDIUM_ERROR, startMarkedGroup } from '../kit/marked-blocks.ts'
import { Records } from '../kit/records.ts'
import { alive, startGroup } from './running-group.ts'

const VICTIM = memberId('m2')
const LIMIT_MS = 120_000

let group: TestGroup
let volume: VolumeDetail
let blocks: MarkedBlocks

beforeAll(async () => {
  ;({ group, volume } = await startMarkedGroup('kept'))
})
afterAll(async () => {
  await group.stop()
})
beforeEach(async () => {
  blocks = await MarkedBlocks.connect(group, volume)
})
afterEach(async () => {
  await blocks.close()
})

const folder = () => join(group.dataFolder, VICTIM)
const away = () => join(group.folder, 'away')

async function writeAll(round: number): Promise<void> {
  for (const lba of blocks.firsts) await blocks.write(lba, round)
}

async function expectAll(round: number): Promise<void> {
  for (const lba of blocks.firsts)
    expect(await blocks.read(lba, round), `${lba}`).toBe('as written')
}

const refusedStart = () => startGroup(group.dataFolder, group.basePort)

async function putBack(): Promise<void> {
  await rm(folder(), { recursive: true, force: true })
  await rename(away(), folder())
}

/** What the launcher's group says of its problems, as one text. */
async function problems(): Promise<string> {
  return JSON.stringify((await group.status('m1')).problems)
}

test(
  'a folder that was moved away keeps the group from starting; put back, it has everything',
  async () => {
    await writeAll(1)
    await group.stopMembers()
    await rename(folder(), away())
    await expect(refusedStart()).rejects.toThrow(
      /m2 did not start: The data folder of m2 is empty, but the group knows .*Is its disk mounted.*--accept-loss m2/,
    )
    await putBack()
    await group.startAgain()
    await expectAll(1)
  },
  LIMIT_MS,
)

test(
  'a folder that is swapped for an empty one under a running group is refused until it is back',
  async () => {
    await writeAll(2)
    const pid = (await group.pidOf(VICTIM)) ?? 0
    await rename(folder(), away())
    await mkdir(folder())
    kill(pid, 'SIGKILL')
    await expect.poll(problems, { interval: 200 }).toMatch(/m2 is empty, but the/)
    // What it holds waits; what others hold is there.
    const [lba = 0] = blocks.at(VICTIM)
    const waiting = blocks.read(lba, 2)
    for (const other of blocks.at('m3')) expect(await blocks.read(other, 2)).toBe('as written')
    expect((await readdir(folder())).includes('super')).toBe(false)
    await putBack()
    expect(await waiting).toBe('as written')
    await expectAll(2)
  },
  LIMIT_MS,
)

test(
  'FD1 a member whose folder is swapped for an empty one while it works stops by itself, and writes nothing into that one',
  async () => {
    await writeAll(2)
    const pid = await group.pidOf(VICTIM)
    await rename(folder(), away())
    await mkdir(folder())
    await expect.poll(problems, { interval: 200 }).toMatch(/OLD_FOLDER.*m2 is empty, but the/)
    expect(await group.pidOf(VICTIM)).not.toBe(pid)
    expect(await readdir(folder())).not.toContain('record')
    await putBack()
    await expectAll(2)
  },
  LIMIT_MS,
)

test(
  'an older copy of a folder is refused, and the newest one is not',
  async () => {
    await writeAll(3)
    await group.stopMembers()
    await cp(folder(), join(group.folder, 'copy'), { recursive: true })
    await group.startAgain()
    await writeAll(4)
    await group.stopMembers()
    await rename(folder(), away())
    await rename(join(group.folder, 'copy'), folder())
    await expect(refusedStart()).rejects.toThrow(
      /m2 did not start: The data folder of m2 is older than what the group has seen of it .*epoch/,
    )
    await putBack()
    await group.startAgain()
    await expectAll(4)
  },
  LIMIT_MS,
)

test(
  'a copy that was made of a folder while its member worked is refused after a kill, though no mark tells of it',
  async () => {
    await writeAll(4)
    const copy = join(group.folder, 'copy of a running one')
    await cp(folder(), copy, { recursive: true, filter: (path) => !path.endsWith('.sock') })
    await group.killAll()
    await rename(folder(), away())
    await rename(copy, folder())
    await expect(refusedStart()).rejects.toThrow(
      /m2 did not start: The data folder of m2 is a copy of the one .*not copied.*--accept-damage m2/,
    )
    await putBack()
    await group.startAgain()
    await expectAll(4)
  },
  LIMIT_MS,
)

test(
  'a segment file that is missing is damage of its pages, told at the start; put back, they are good',
  async () => {
    await writeAll(5)
    await group.stopMembers()
    const segments = await readdir(join(folder(), 'data'))
    const segment = join(folder(), 'data', segments.sort()[0] ?? '')
    await rename(segment, away())
    await group.startAgain()
    const log = await readFile(join(folder(), 'member.log'), 'utf8')
    expect(log).toMatch(/Segment 'data\/000000' is missing: its \d+ pages/)
    const victims = blocks.at(VICTIM)
    const seen = await Promise.all(victims.map((lba) => blocks.read(lba, 5)))
    expect(seen).toContainEqual(MEDIUM_ERROR)
    expect(seen).not.toContain('other bytes')
    await expect.poll(problems, { interval: 200 }).toMatch(/DAMAGED.*1 segment file of m2/)
    for (const lba of blocks.at('m3')) expect(await blocks.read(lba, 5)).toBe('as written')
    await group.stopMembers()
    await rename(away(), segment)
    await group.startAgain()
    await expectAll(5)
  },
  LIMIT_MS,
)

/** Of the index on disk: when a checkpoint was last written. */
async function checkpointedMs(): Promise<number> {
  const files = await Promise.all(['index.A', 'index.B'].map((name) => stat(join(folder(), name))))
  return Math.max(...files.map(({ mtimeMs }) => mtimeMs))
}

const marked = async (records: Records) => (await records.folder(VICTIM)).position

/** In a group that has just started; false if a checkpoint came last, so that the journal is not needed. */
async function writeCheckpointWriteAndMark(records: Records, round: number): Promise<boolean> {
  const first = await checkpointedMs()
  // A journal of which more than half is used up makes one at once.
  for (const lba of blocks.at(VICTIM)) await blocks.fill(lba)
  await expect.poll(async () => (await checkpointedMs()) > first, { interval: 100 }).toBe(true)
  const [at, before] = [await checkpointedMs(), await marked(records)]
  await writeAll(round)
  const isMarked = async () => (await marked(records)) > before
  await expect.poll(isMarked, { interval: 50 }).toBe(true)
  return (await checkpointedMs()) === at
}

const journal = () => join(folder(), 'journal')

async function zeroJournal(): Promise<void> {
  await cp(journal(), away())
  const file = await open(journal(), 'r+')
  await file.write(new Uint8Array((await file.stat()).size), 0)
  await file.close()
}

async function restoreJournal(): Promise<void> {
  await rm(journal())
  await rename(away(), journal())
}

test('a journal that was zeroed is refused: at first since the epochs of the start were in it, later by the mark', async () => {
  await group.stopMembers()
  await group.startAgain()
  await group.killAll()
  await zeroJournal()
  await expect(refusedStart()).rejects.toThrow(
    /m2 did not start: The data folder of m2 is older than what the group has seen of it .it knows epoch/,
  )
  await restoreJournal()
  await group.startAgain()
  const records = await Records.open(group)
  let round = 6
  while (!(await writeCheckpointWriteAndMark(records, round))) round += 1
  await records.close()
  await group.killAll()
  await zeroJournal()
  // If the last checkpoint came while something was not at home, the folder itself knows that its journal had more.
  await expect(refusedStart()).rejects.toThrow(
    /m2 did not start: The data folder of m2 is (?:older than what the group has seen of it .its journal ends at position \d+, and the group saw it at \d+|damaged: The journal is damaged at position \d+: acknowledged writes are lost)/,
  )
  await restoreJournal()
  await group.startAgain()
  await expectAll(round)
}, 360_000)

test(
  'a loss that is accepted is a MEDIUM ERROR until it is overwritten, and the word counts once',
  async () => {
    await writeAll(20)
    await group.stopMembers()
    await rename(folder(), away())
    await group.startAgain('--accept-loss', VICTIM)
    const [first = 0, second = 0] = blocks.at(VICTIM)
    const expectLost = async (lba: number) =>
      expect(await blocks.read(lba, 20)).toEqual(MEDIUM_ERROR)
    for (const lba of blocks.at(VICTIM)) await expectLost(lba)
    for (const lba of blocks.at('m3')) expect(await blocks.read(lba, 20)).toBe('as written')
    await expect
      .poll(problems, { interval: 200 })
      .toMatch(/DAMAGED.*the folder that m2 had before was given up/)
    await blocks.write(first, 21)
    const later = await group.createVolume('later', volume.bytes, BLOCK_BYTES)
    const fresh = await MarkedBlocks.connect(group, later)
    for (const lba of fresh.at(VICTIM)) expect(await fresh.read(lba, 0)).toBe('as written')
    await fresh.close()

    await group.stopMembers()
    await group.startAgain()
    expect(await blocks.read(first, 21)).toBe('as written')
    await expectLost(first + 1)
    await expectLost(second)

    // The launcher that was told so does not say it again when it starts the member anew.
    await group.stopMembers()
    await group.startAgain('--accept-loss', VICTIM)
    const pid = (await group.pidOf(VICTIM)) ?? 0
    await rm(away(), { recursive: true })
    await rename(folder(), away())
    await mkdir(folder())
    kill(pid, 'SIGKILL')
    await expect.poll(problems, { interval: 200 }).toMatch(/m2 is empty, but the/)
    expect(alive(pid)).toBe(false)
    await putBack()
    expect(await blocks.read(first, 21)).toBe('as written')
  },
  2 * LIMIT_MS,
)
