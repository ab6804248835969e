// A group whose members may store only a little: what needs a new page is refused with the sense that says so, everything
// else goes on, nothing is lost by a restart, and what is given back is used again.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { VolumeDetail } from '../../src/api/schema.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import { parseSense, unmapCdb, unmapList, writeSameCdb } from '../../src/initiator/cdb.ts'
import type { Initiator } from '../../src/initiator/initiator.ts'
import type { Answer } from '../../src/initiator/pending-command.ts'
import { connectTo } from '../kit/connect.ts'
import { TestGroup } from '../kit/group.ts'
import { primaryAt } from '../kit/primary-at.ts'

const MIB = 2 ** 20
const BLOCKS_A_PAGE = MIB / BLOCK_BYTES
const VOLUME_PAGES = 256
/** For all members together: less than half of the volume. */
const BUDGET = ['--budget', '96M']
const DATA_PROTECT = { key: 7, asc: 0x27, ascq: 7 }

let group: TestGroup
let volume: VolumeDetail
let initiator: Initiator
/** A volume of sectors, of which a part was written before all was full: 3 MiB from sector 63 on, as old partitions begin. */
let sectors: Initiator

const SECTOR_BYTES = 512
const ODD_LBA = 63
const ODD_BYTES = 3 * MIB

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1', ...BUDGET)
  volume = await group.createVolume('thin', VOLUME_PAGES * MIB, BLOCK_BYTES)
  initiator = await connect(volume)
  sectors = await connect(await group.createVolume('odd', 64 * MIB, SECTOR_BYTES))
  const odd = new Uint8Array(ODD_BYTES).fill(0x77)
  expect(await outcome(sectors.write(ODD_LBA, odd))).toBe('good')
})
afterAll(async () => {
  await sectors.close()
  await initiator.close()
  await group.stop()
})

function connect(to: VolumeDetail): Promise<Initiator> {
  return connectTo(group, to, { name: 'full', isid: '00023d0000f0' })
}

const filled = (value: number) => new Uint8Array(BLOCK_BYTES).fill(value)

/** 'good', 'full', or what else came. */
async function outcome(answer: Promise<Answer>): Promise<string> {
  const got = await answer
  if (got.kind !== 'answered') return got.kind
  if (got.status === 0) return 'good'
  const sense = parseSense(got.sense ?? new Uint8Array())
  return JSON.stringify(sense) === JSON.stringify(DATA_PROTECT) ? 'full' : JSON.stringify(sense)
}

const write = (page: number, block: number, value: number) =>
  outcome(initiator.write(page * BLOCKS_A_PAGE + block, filled(value)))

async function valueAt(page: number, block: number): Promise<number | string> {
  const bytes = filled(0xee)
  const answer = await outcome(initiator.read(page * BLOCKS_A_PAGE + block, 1, bytes))
  if (answer !== 'good') return answer
  const [value = -1] = bytes
  return bytes.every((byte) => byte === value) ? value : 'torn'
}

const stampOf = (page: number) => (page % 200) + 1

const writePage = (page: number) =>
  outcome(initiator.write(page * BLOCKS_A_PAGE, new Uint8Array(MIB).fill(stampOf(page))))

/** The whole volume, page by page; those that found room. */
async function fillUp(): Promise<readonly number[]> {
  const pages = Array.from({ length: VOLUME_PAGES }, (_, page) => page)
  const answers = await Promise.all(pages.map(writePage))
  expect(new Set(answers)).toEqual(new Set(['good', 'full']))
  return pages.filter((page) => answers[page] === 'good')
}

/** What is left at each member for less than a page goes to blocks of one page each. By page: the first block that was refused. */
async function fillRest(refused: readonly number[]): Promise<ReadonlyMap<number, number>> {
  const refusedAt = new Map<number, number>()
  for (const member of group.members) {
    const page = refused.find((one) => primaryAt(volume, one * MIB) === member)
    if (page === undefined) throw new Error(`nothing was refused at ${member}`)
    for (let block = 0; ; block += 1) {
      expect(block).toBeLessThan(BLOCKS_A_PAGE)
      if ((await write(page, block, stampOf(page))) === 'good') continue
      refusedAt.set(page, block)
      break
    }
  }
  return refusedAt
}

async function expectKept(taken: readonly number[]): Promise<void> {
  const values = await Promise.all(taken.map((page) => valueAt(page, 0)))
  expect(values).toEqual(taken.map(stampOf))
}

/** Sectors that begin and end inside of blocks, there and absent: none of it needs room, and what is absent stays absent. */
async function unmapOddly(): Promise<void> {
  const pages = async () => {
    const { body } = await group.call<VolumeDetail>('volumes/odd')
    return body.byMember.reduce((sum, { pages: here }) => sum + (here ?? 0), 0)
  }
  const before = await pages()
  const model = new Uint8Array(8 * MIB)
  model.fill(0x77, ODD_LBA * SECTOR_BYTES, ODD_LBA * SECTOR_BYTES + ODD_BYTES)
  const ranges = [
    [ODD_LBA + 5, 3],
    [ODD_LBA + 101, 2_001],
    [ODD_LBA + 4_003, 6_000],
    [12_345, 4_001],
    [40_001, 70_003],
  ] as const
  for (const [i, [lba, count]] of ranges.entries()) {
    const answer =
      i % 2 === 0
        ? sectors.command({ cdb: unmapCdb(), write: unmapList(lba, count) })
        : sectors.command({
            cdb: writeSameCdb(lba, count, true),
            write: new Uint8Array(SECTOR_BYTES),
          })
    expect(await outcome(answer)).toBe('good')
    model.fill(0, lba * SECTOR_BYTES, (lba + count) * SECTOR_BYTES)
  }
  const into = new Uint8Array(model.length)
  expect(await outcome(sectors.read(0, model.length / SECTOR_BYTES, into))).toBe('good')
  expect(into.findIndex((byte, i) => byte !== model[i])).toBe(-1)
  expect(await pages()).toBeLessThanOrEqual(before)
}

test('what needs a new page is refused with 7/27/07, everything else goes on, nothing is lost', async () => {
  const taken = await fillUp()
  const refused = Array.from({ length: VOLUME_PAGES }, (_, page) => page).filter(
    (page) => !taken.includes(page),
  )
  // Each member has its own third, and each is full.
  const pagesAt = new Map(group.members.map((member) => [member, 0]))
  for (const page of taken) {
    const home = primaryAt(volume, page * MIB)
    pagesAt.set(home, (pagesAt.get(home) ?? 0) + 1)
  }
  const told = [...pagesAt].map(([member, pages]) => `${member} ${pages}`).join(', ')
  console.log(
    `full: ${taken.length} pages of ${VOLUME_PAGES} found room (${told}); the others 7/27/07`,
  )
  for (const pages of pagesAt.values()) expect(pages).toBeLessThanOrEqual(32)
  expect(taken.length).toBeGreaterThan(60)

  const full = { code: 20, problems: group.members.map((member) => `FULL ${member}`) }
  await expect.poll(() => group.health(), { interval: 500 }).toEqual(full)
  const probe = await fetch(`${group.apiOf('m2')}/healthz`)
  expect(probe.status).toBe(200)
  expect(await probe.json()).toMatchObject({
    health: 'error',
    problems: [{ code: 'FULL', subject: 'm2', volumes: { count: 3 } }],
  })

  await expectKept(taken)
  expect(await valueAt(refused[0] ?? 0, 0)).toBe(0)
  const inPart = await fillRest(refused)
  const none = refused.filter((page) => !inPart.has(page))
  // Blocks that are there are written over; new ones are refused, also of old pages. Unmapping what is absent, or a part, is not.
  for (const page of taken.slice(0, 20)) {
    expect(await write(page, 0, stampOf(page))).toBe('good')
    expect(await write(page, 77, 99)).toBe('good')
  }
  for (const [page, block] of inPart) {
    expect(await write(page, block, 1)).toBe('full')
    const list = unmapList(page * BLOCKS_A_PAGE + block, BLOCKS_A_PAGE - block)
    expect(await outcome(initiator.command({ cdb: unmapCdb(), write: list }))).toBe('good')
  }
  for (const page of none.slice(0, 20)) expect(await write(page, 0, 1)).toBe('full')

  await group.stopMembers()
  await group.startAgain(...BUDGET)
  await expectKept(taken)
  expect(await valueAt(taken[3] ?? 0, 77)).toBe(99)
  for (const page of none.slice(0, 20)) expect(await write(page, 0, 1)).toBe('full')
  await unmapOddly()
  expect(initiator.phase).toBe('serving')
}, 120_000)

test('what is unmapped or deleted makes room again', async () => {
  const taken: number[] = []
  for (let page = 0; page < VOLUME_PAGES; page += 1) {
    if ((await valueAt(page, 0)) !== 0) taken.push(page)
  }
  const [given = 0] = taken
  const home = (page: number) => primaryAt(volume, page * MIB)
  const wanted = Array.from({ length: VOLUME_PAGES }, (_, page) => page).find(
    (page) => !taken.includes(page) && home(page) === home(given),
  )
  if (wanted === undefined) throw new Error('nothing was refused where the page was')
  const list = unmapList(given * BLOCKS_A_PAGE, BLOCKS_A_PAGE)
  expect(await outcome(initiator.command({ cdb: unmapCdb(), write: list }))).toBe('good')
  expect(await valueAt(given, 0)).toBe(0)
  const room = () => write(wanted, 0, stampOf(wanted))
  await expect.poll(room, { interval: 100 }).toBe('good')
  expect(await valueAt(wanted, 0)).toBe(stampOf(wanted))

  await initiator.close()
  const deleted = await group.remove(`volumes/${volume.name}`)
  expect(deleted).toBe(200)
  volume = await group.createVolume('next', VOLUME_PAGES * MIB, BLOCK_BYTES)
  initiator = await connect(volume)
  await expect.poll(async () => (await fillUp()).length, { interval: 500 }).toBeGreaterThan(60)
}, 120_000)
