// The coordination file is lost, damaged or put back from an older copy, under load and at rest. Members go on with I/O and
// say so; none founds a group or goes on with an older record; recovered from the members' folders it has every volume that
// was told to be made, nothing that was acknowledged is lost, and no volume shows another's bytes.
import {
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { VolumeDetail } from '../../src/api/schema.ts'
import { Prng } from '../../src/base/prng.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import type { Initiator } from '../../src/initiator/initiator.ts'
import { backUpStore } from '../../src/io/sqlite-files.ts'
import { Clients } from '../kit/clients.ts'
import { connectTo } from '../kit/connect.ts'
import { type Ended, TestGroup, tool } from '../kit/group.ts'
import { coordinationFile } from '../kit/records.ts'
import { launcher } from './running-group.ts'

const SUFFIXES = ['', '-wal', '-shm'] as const
const VOLUME_BYTES = 96 * 2 ** 20
const BLOCKS = 48
/** Blocks stand so far apart that every member has some of them. */
const STEP = (2 * 2 ** 20) / BLOCK_BYTES
const prng = new Prng(Number(process.env['EVENKEEL_SEED'] ?? Date.now() & 0x7fffffff))
let group: TestGroup
let file: string
let kept: VolumeDetail

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1')
  file = coordinationFile(group)
  kept = await group.createVolume('kept', VOLUME_BYTES, BLOCK_BYTES)
  expect(await writeAll(kept, 0x5e)).toBe(BLOCKS)
})
afterAll(async () => {
  await group.stop()
})

function connect(volume: VolumeDetail, member = 'm1'): Promise<Initiator> {
  const who = { name: 'keeper', isid: '00023d00000b', prng: prng.fork() }
  return connectTo(group, volume, { ...who, member })
}

const block = (fill: number, i: number) =>
  new Uint8Array(BLOCK_BYTES).fill(fill).fill(i, BLOCK_BYTES / 2)

/** How many of the blocks were answered with GOOD. */
async function writeAll(volume: VolumeDetail, fill: number, member = 'm1'): Promise<number> {
  const initiator = await connect(volume, member)
  let good = 0
  for (let i = 0; i < BLOCKS; i += 1) {
    const answer = await initiator.write(i * STEP, block(fill, i))
    if (answer.kind === 'answered' && answer.status === 0) good += 1
  }
  await initiator.close()
  return good
}

/** How many of the blocks are as `writeAll` left them; `fill` null: zeros. */
async function readAll(volume: VolumeDetail, fill: number | null, member = 'm2'): Promise<number> {
  const initiator = await connect(volume, member)
  const bytes = new Uint8Array(BLOCK_BYTES)
  let same = 0
  for (let i = 0; i < BLOCKS; i += 1) {
    const answer = await initiator.read(i * STEP, 1, bytes)
    const wanted = fill === null ? new Uint8Array(BLOCK_BYTES) : block(fill, i)
    const isGood = answer.kind === 'answered' && answer.status === 0
    if (isGood && Buffer.compare(bytes, wanted) === 0) same += 1
  }
  await initiator.close()
  return same
}

function evenkeel(...args: string[]): Promise<Ended> {
  return tool(launcher, [...args, '--data', group.dataFolder])
}

async function recovered(): Promise<void> {
  const { code, said } = await evenkeel('recover', '-o', 'json')
  expect(said).toMatch(/"revision":/)
  expect(code).toBe(0)
}

/** The group must not start as it is. */
async function refusesToStart(sentence: RegExp): Promise<void> {
  await expect(group.startAgain()).rejects.toThrow(sentence)
}

function aside(name: string): void {
  for (const suffix of SUFFIXES) {
    if (existsSync(file + suffix)) renameSync(file + suffix, `${file}.${name}${suffix}`)
  }
}

async function volumeNames(): Promise<readonly string[]> {
  const { body } = await group.call<{ items: { name: string }[] }>('volumes')
  return body.items.map(({ name }) => name).toSorted()
}

async function codes(): Promise<readonly string[]> {
  return (await group.status()).problems.map(({ code }) => code)
}

test('under load: a removed file is told, I/O goes on, and recovery loses nothing that was acknowledged', async () => {
  const volume = await group.createVolume('busy', VOLUME_BYTES, BLOCK_BYTES)
  const clients = new Clients(group, volume, prng.fork(), 16)
  try {
    for (const [i, member] of group.members.entries()) {
      await clients.connect({ member, writer: i + 1, isid: i === 0 ? 'stable' : 'random' })
    }
    clients.begin(2)
    await clients.goOn()
    for (const suffix of SUFFIXES) rmSync(file + suffix)
    await expect.poll(codes).toContain('RECORD_LOST')
    const made = { name: 'late', bytes: VOLUME_BYTES, blockBytes: 512, shared: true }
    expect((await group.call('volumes', made)).status).toBe(503)
    await clients.goOn()
    expect(existsSync(file)).toBe(false)
    await group.stopMembers()
    await refusesToStart(/coordination\.sqlite is missing, .*evenkeel recover/)
    expect(existsSync(file)).toBe(false)
    await recovered()
    await group.startAgain()
    await clients.goOn()
    expect(await clients.judged()).toEqual([])
    expect(await volumeNames()).toEqual(['busy', 'kept', 'vol1'])
    expect(await readAll(kept, 0x5e)).toBe(BLOCKS)
  } finally {
    await clients.close()
  }
})

test('an older file is refused; after recovery sessions, operations and volumes are none of those it would have given again', async () => {
  await group.stopMembers()
  cpSync(file, `${file}.older`)
  await group.startAgain()
  // What the attack did: a session writes, everybody is killed, the older file gives the next session the same id.
  expect(await writeAll(kept, 0x11)).toBe(BLOCKS)
  const secret = await group.createVolume('secret', VOLUME_BYTES, BLOCK_BYTES)
  expect(await writeAll(secret, 0x77)).toBe(BLOCKS)
  await group.killAll()
  aside('newer')
  renameSync(`${file}.older`, file)
  await refusesToStart(/an older one: it is at revision \d+, .*evenkeel recover/)
  await recovered()
  await group.startAgain()
  expect(await volumeNames()).toContain('secret')
  expect(await readAll(secret, 0x77)).toBe(BLOCKS)
  expect(await writeAll(kept, 0x22)).toBe(BLOCKS)
  expect(await readAll(kept, 0x22)).toBe(BLOCKS)
  const fresh = await group.createVolume('fresh', VOLUME_BYTES, BLOCK_BYTES)
  expect(Number(fresh.id)).toBeGreaterThan(1000)
  expect(await readAll(fresh, null)).toBe(BLOCKS)
  for (const name of ['secret', 'fresh']) expect(await group.remove(`volumes/${name}`)).toBe(200)
  expect(await writeAll(kept, 0x5e)).toBe(BLOCKS)
})

test('a backup is taken from the running group; put in place of the file later, it is refused as an older one', async () => {
  const backup = join(group.folder, 'backup')
  const { code, said } = await evenkeel('backup', 'record', backup, '-o', 'json')
  expect(said).toMatch(/"revision":/)
  expect(code).toBe(0)
  expect((await evenkeel('backup', 'record', backup)).code).toBe(4)
  const later = await group.createVolume('later', VOLUME_BYTES, BLOCK_BYTES)
  await group.stopMembers()
  aside('before-restore')
  cpSync(backup, file)
  await refusesToStart(/an older one/)
  await recovered()
  await group.startAgain()
  expect(await volumeNames()).toContain(later.name)
  expect(await group.remove('volumes/later')).toBe(200)
})

/** Each is done to the file of a group whose members were killed. */
const harms: Readonly<Record<string, readonly [harm: () => void, says: RegExp]>> = {
  removed: [() => aside('removed'), /is missing/],
  'cut to nothing': [
    () => {
      aside('cut')
      writeFileSync(file, '')
    },
    /is empty/,
  ],
  'cut by half': [
    () => {
      inOneFile()
      truncateSync(file, Math.floor(statSync(file).size / 2))
    },
    /is damaged/,
  ],
  'without its -wal': [
    () => rmSync(`${file}-wal`),
    /an older one|is empty|is damaged|holds no group/,
  ],
  'full of flipped bits': [
    () => {
      inOneFile()
      flip()
    },
    /is damaged|is not JSON|has a bad|no coordinator's file|is no JSON/,
  ],
}

/** What is in the -wal of a killed group is brought into the file. */
function inOneFile(): void {
  const whole = join(group.folder, `whole-${prng.integer(0, 1e9)}`)
  backUpStore(file, whole)
  aside(`before-${prng.integer(0, 1e9)}`)
  cpSync(whole, file)
}

/** A bit in every 300 bytes. */
function flip(): void {
  const bytes = readFileSync(file)
  for (let at = prng.integer(0, 299); at < bytes.length; at += 300) {
    bytes[at] = (bytes[at] ?? 0) ^ (1 << prng.integer(0, 7))
  }
  const fd = openSync(file, 'r+')
  writeSync(fd, bytes)
}

for (const [name, [harm, says]] of Object.entries(harms)) {
  test(`at rest: a file that is ${name} is refused, and recovered`, async () => {
    // What the members remember of these is as new as the -wal, also if they have not noted its revision yet.
    expect(await writeAll(kept, 0x5e)).toBe(BLOCKS)
    await group.killAll()
    harm()
    await refusesToStart(says)
    await recovered()
    expect(readdirSync(group.dataFolder)).toContain('coordination.sqlite')
    await group.startAgain()
    expect(await volumeNames()).toEqual(expect.arrayContaining(['kept', 'vol1']))
    expect(await readAll(kept, 0x5e)).toBe(BLOCKS)
  })
}
