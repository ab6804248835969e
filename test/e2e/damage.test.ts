// Bytes that rot in the data folder of a member while nobody looks: what was lost is said, as MEDIUM ERROR to who reads it,
// as a sentence to who starts the member; nothing else is, and never are wrong bytes returned.
import { readFileSync } from 'node:fs'
import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { VolumeDetail } from '../../src/api/schema.ts'
import { RECORD_BYTES, RECORD_MAGIC, SECTOR_BYTES } from '../../src/store/layout.ts'
import type { TestGroup } from '../kit/group.ts'
import { blockOf, MarkedBlocks, MEDIUM_ERROR, startMarkedGroup } from '../kit/marked-blocks.ts'
import { startGroup } from './running-group.ts'

/** The member whose files rot. */
const VICTIM = 'm2'

let group: TestGroup
let volume: VolumeDetail
let blocks: MarkedBlocks

beforeAll(async () => {
  ;({ group, volume } = await startMarkedGroup('rot'))
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

const victims = () => blocks.at(VICTIM)
const write = (lba: number, round: number) => blocks.write(lba, round)
const read = (lba: number, round: number) => blocks.read(lba, round)

const fileOf = (...path: string[]) => join(group.dataFolder, VICTIM, ...path)

async function flip(file: string, offset: number): Promise<void> {
  const handle = await open(file, 'r+')
  const byte = Buffer.alloc(1)
  await handle.read(byte, 0, 1, offset)
  byte[0] = (byte[0] ?? 0) ^ 0x10
  await handle.write(byte, 0, 1, offset)
  await handle.sync()
  await handle.close()
}

/** Lines of the victim's log with this event. */
const logged = (event: string) =>
  readFileSync(fileOf('member.log'), 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"event":"${event}"`))

test('a flipped bit of a page costs its block: MEDIUM ERROR, a line in the log, until it is overwritten', async () => {
  for (const lba of blocks.firsts) for (const next of [0, 1]) await write(lba + next, 1)
  const [lost = 0] = victims()
  await group.stopMembers()
  const content = Buffer.from(blockOf(lost, 1))
  let found = 0
  for (const name of await readdir(fileOf('data'))) {
    const at = (await readFile(fileOf('data', name))).indexOf(content)
    if (at < 0) continue
    await flip(fileOf('data', name), at + 1234)
    found += 1
  }
  expect(found).toBe(1)
  await group.startAgain()

  expect(await read(lost, 1)).toEqual(MEDIUM_ERROR)
  const others = blocks.firsts.flatMap((lba) => [lba, lba + 1]).filter((lba) => lba !== lost)
  for (const lba of others) expect(await read(lba, 1)).toBe('as written')
  await expect.poll(() => logged('damage').length, { interval: 100 }).toBe(1)
  expect(logged('damage')[0]).toMatch(/page \d+ of volume rot cannot be read: overwrite them/)
  const isTold = { code: 20, problems: [`DAMAGED ${VICTIM}`] }
  await expect.poll(() => group.health(), { interval: 500 }).toEqual(isTold)
  await write(lost, 2)
  expect(await read(lost, 2)).toBe('as written')
  const isWell = { code: 0, problems: [] }
  await expect.poll(() => group.health(), { interval: 500 }).toEqual(isWell)
}, 90_000)

/** Writes one block after the other, so that each proves the one before, and ends every process in the middle of it. */
async function writeAndDie(lba: number, rounds: readonly number[]): Promise<void> {
  for (const round of rounds) await write(lba, round)
  await group.killAll()
}

/** Where in the journal the record stands that brought this block. */
async function recordOf(lba: number, round: number): Promise<number> {
  const journal = await readFile(fileOf('journal'))
  const at = journal.indexOf(Buffer.from(blockOf(lba, round))) - RECORD_BYTES
  expect(at % SECTOR_BYTES).toBe(0)
  expect(journal.readUInt32BE(at)).toBe(RECORD_MAGIC)
  return at
}

test('a record of the journal that lost its blocks costs them, and is told', async () => {
  const [lost = 0, kept = 0] = victims()
  await write(kept, 10)
  await writeAndDie(lost, [11])
  // Nothing after the last record would prove that it was answered.
  await group.startAgain()
  await write(lost, 12)
  await writeAndDie(kept, [13])
  await flip(fileOf('journal'), (await recordOf(lost, 12)) + RECORD_BYTES + 99)
  await group.startAgain()
  expect(await read(lost, 12)).toEqual(MEDIUM_ERROR)
  expect(await read(kept, 13)).toBe('as written')
  // Behind it may stand which page it is, as for what a read finds.
  expect(logged('damage').join('\n')).toMatch(/1 acknowledged blocks are lost and read as damaged/)
  await write(lost, 14)
}, 90_000)

test('a record of the journal that is lost itself keeps the member from starting until that is accepted', async () => {
  const [lba = 0, other = 0] = victims()
  await write(lba, 20)
  await write(other, 21)
  await writeAndDie(lba, [22])
  await flip(fileOf('journal'), (await recordOf(other, 21)) + 20)
  const before = await readFile(fileOf('journal'))
  await expect(startGroup(group.dataFolder, group.basePort)).rejects.toThrow(
    /m2 did not start: The data folder of m2 is damaged: The journal is damaged .*acknowledged writes are lost\. .*up --accept-damage m2/,
  )
  expect(before.equals(await readFile(fileOf('journal')))).toBe(true)
  await group.startAgain('--accept-damage', VICTIM)
  expect(await read(lba, 22)).toBe('as written')
  // It had come home already, or it is as it was before: nobody knows, and that was accepted.
  expect(['as written', 'other bytes']).toContain(await read(other, 21))
  expect(logged('damage').join('\n')).toMatch(/acknowledged writes are lost/)
}, 90_000)
