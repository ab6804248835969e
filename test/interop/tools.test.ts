// Debian's own initiators see one disk at every member.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Volume } from '../../src/api/schema.ts'
import { TestGroup, tool } from '../kit/group.ts'

const MIB = 2 ** 20
const VOLUME_BYTES = 64 * MIB

let group: TestGroup
let volume: Volume

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1')
  volume = await group.createVolume('tools', VOLUME_BYTES)
})
afterAll(async () => {
  await group.stop()
})

/** Runs commands of qemu-io on the volume at a member; rejects if one of them failed. */
async function qemuIo(member: string, ...commands: string[]): Promise<string> {
  const args = commands.flatMap((command) => ['-c', command])
  const { code, said } = await tool('qemu-io', [
    ...['-f', 'raw', '-t', 'none'],
    ...args,
    group.url(member, volume.iqn),
  ])
  if (code !== 0 || /fail|error/i.test(said)) throw new Error(`qemu-io at ${member}: ${said}`)
  return said
}

/** A program that goes on until it is ended. */
function running(command: string, args: readonly string[]): ChildProcess {
  return spawn(command, args, { stdio: 'ignore' })
}

test('discovery tells one portal a volume: the one that was asked', async () => {
  for (const member of group.members) {
    const { code, said } = await tool('iscsi-ls', [`iscsi://127.0.0.1:${group.portOf(member)}`])
    expect(code).toBe(0)
    const targets = said.trim().split('\n').toSorted()
    const portal = `Portal:127.0.0.1:${group.portOf(member)},1`
    expect(targets).toEqual([
      `Target:iqn.2026-11.dev.evenkeel:group-1 ${portal}`,
      `Target:${volume.iqn} ${portal}`,
    ])
  }
})

test('the same logical unit at every member, a disk of 512-byte logical and 4096-byte physical blocks', async () => {
  const seen = new Set<string>()
  for (const member of group.members) {
    const url = group.url(member, volume.iqn)
    const standard = await tool('iscsi-inq', [url])
    expect(standard).toMatchObject({ code: 0, said: expect.stringContaining('DIRECT_ACCESS') })
    expect(standard.said).toContain('Vendor:EVENKEEL')
    const identity = await tool('iscsi-inq', ['-e', '1', '-c', '0x83', url])
    expect(identity.code).toBe(0)
    seen.add(standard.said + identity.said)
    const capacity = await tool('iscsi-readcapacity16', [url])
    expect(capacity.said).toContain('LOGICAL BLOCK LENGTH IN BYTES:512')
    expect(capacity.said).toContain('PER PHYSICAL BLOCK EXPONENT:3')
    expect(capacity.said).toContain(`Total size:${VOLUME_BYTES}`)
  }
  expect([...seen]).toHaveLength(1)
})

test('a volume grows under a host that uses it: everybody sees the new size, and writes there', async () => {
  const MORE = 96 * MIB
  const grows = await group.createVolume('grows', VOLUME_BYTES)
  const at = (member: string) => group.url(member, grows.iqn)
  const socket = join(group.folder, 'grows.sock')
  const nbd = running('qemu-nbd', ['-t', '-f', 'raw', '-k', socket, '-x', 'grows', at('m1')])
  try {
    const size = async () =>
      (await tool('qemu-img', ['info', '--output', 'json', `nbd+unix:///grows?socket=${socket}`]))
        .said
    await expect.poll(size).toContain(`"virtual-size": ${VOLUME_BYTES}`)
    expect(await group.change('volumes/grows', { bytes: MORE })).toBe(200)
    for (const member of group.members) {
      const capacity = await tool('iscsi-readcapacity16', [at(member)])
      expect(capacity.said).toContain(`Total size:${MORE}`)
      const offset = `${VOLUME_BYTES / MIB + group.members.indexOf(member)}M`
      const { code, said } = await tool('qemu-io', [
        ...['-f', 'raw', '-c', `write -P 7 ${offset} 64k`, '-c', `read -P 7 ${offset} 64k`],
        at(member),
      ])
      expect({ code, said }).toEqual({ code: 0, said: expect.not.stringMatching(/fail|error/i) })
    }
    // The session that was there before has been told, and goes on.
    const io = ['-f', 'raw', '-c', 'write -P 8 0 64k', '-c', 'read -P 8 0 64k']
    const used = await tool('qemu-io', [...io, `nbd+unix:///grows?socket=${socket}`])
    expect(used).toEqual({ code: 0, said: expect.not.stringMatching(/fail|error/i) })
    const info = await tool('qemu-img', ['info', '-f', 'raw', '--output', 'json', at('m2')])
    expect(JSON.parse(info.said)).toMatchObject({ 'virtual-size': MORE })
  } finally {
    nbd.kill()
    await once(nbd, 'close')
  }
  await expect.poll(() => group.remove('volumes/grows')).toBe(200)
})

test('a file that was copied in at one member comes out the same at another', async () => {
  const image = join(group.folder, 'image')
  const bytes = randomBytes(VOLUME_BYTES)
  // Holes too: what nobody wrote, and zeros that were written.
  bytes.fill(0, 8 * MIB, 24 * MIB)
  await writeFile(image, bytes)
  const raw = ['-f', 'raw']
  const [at1, at2, at3] = ['m1', 'm2', 'm3'].map((member) => group.url(member, volume.iqn))
  const info = await tool('qemu-img', ['info', ...raw, '--output', 'json', String(at1)])
  expect(JSON.parse(info.said)).toMatchObject({ 'virtual-size': VOLUME_BYTES, format: 'raw' })
  const copyIn = ['convert', '-n', ...raw, '-O', 'raw', image, String(at1)]
  expect(await tool('qemu-img', copyIn)).toEqual({ code: 0, said: '' })
  for (const url of [at1, at2, at3]) {
    const compared = await tool('qemu-img', ['compare', ...raw, '-F', 'raw', image, String(url)])
    expect(compared).toEqual({ code: 0, said: 'Images are identical.\n' })
  }
  const copy = join(group.folder, 'copy')
  const copyOut = ['convert', ...raw, '-O', 'raw', String(at3), copy]
  expect(await tool('qemu-img', copyOut)).toEqual({ code: 0, said: '' })
  expect((await readFile(copy)).equals(bytes)).toBe(true)
})

test('what a large volume does not have is not read: its map is true, and it is copied at once', async () => {
  const thin = await group.createVolume('thin', 32 * 1024 * MIB)
  const [at1, at2] = ['m1', 'm2'].map((member) => String(group.url(member, thin.iqn)))
  const raw = ['-f', 'raw']
  const map = async (url: string) => {
    const { said } = await tool('qemu-img', ['map', ...raw, '--output', 'json', url])
    const extents = JSON.parse(said) as { start: number; length: number; data: boolean }[]
    return extents.filter(({ data }) => data).map(({ start, length }) => [start, start + length])
  }
  expect(await map(String(at1))).toEqual([])
  const written = [0, 100, 5_000, 20_000, 32_767].map((mib) => mib * MIB)
  const io = (url: string, ...commands: string[]) =>
    tool('qemu-io', [...raw, ...commands.flatMap((command) => ['-c', command]), url])
  await io(
    String(at1),
    ...written.map((at) => `write -P 0x5a ${at} 64k`),
    `discard ${100 * MIB} 1M`,
  )
  const there = written.filter((at) => at !== 100 * MIB).map((at) => [at, at + 65_536])
  for (const url of [at1, at2]) expect(await map(String(url))).toEqual(there)
  const copy = join(group.folder, 'thin-copy')
  expect(await tool('qemu-img', ['convert', ...raw, '-O', 'raw', String(at2), copy])).toEqual({
    ...{ code: 0, said: '' },
  })
  const said = await io(
    copy,
    ...written.map((at) => `read -P ${at === 100 * MIB ? 0 : 0x5a} ${at} 64k`),
  )
  expect(said.said.match(/^read \d+\/\d+ bytes/gm)).toHaveLength(written.length)
})

test('what was written at one member is read at once at the others', async () => {
  let pattern = 0
  for (const writer of group.members) {
    pattern += 1
    const at = `${pattern * 4}M`
    // Over the borders of blocks, pages and lanes, and not beginning at any.
    await qemuIo(
      writer,
      `write -P ${pattern} ${at} 3M`,
      `write -P 0xee ${pattern * 4 * MIB + 512} 1536`,
    )
    for (const reader of group.members) {
      const said = await qemuIo(
        reader,
        `read -P ${pattern} ${at} 512`,
        `read -P 0xee ${pattern * 4 * MIB + 512} 1536`,
        `read -P ${pattern} ${pattern * 4 * MIB + 2048} ${3 * MIB - 2048}`,
      )
      expect(said.match(/^read \d+\/\d+ bytes/gm)).toHaveLength(3)
    }
  }
})

test('a trim reads as zeros at every member', async () => {
  await qemuIo('m1', 'write -P 0x33 30M 4M', 'discard 31M 2M', 'write -z 33M 512k')
  for (const member of group.members) {
    await qemuIo(
      member,
      'read -P 0x33 30M 1M',
      'read -P 0 31M 2M',
      'read -P 0 33M 512k',
      `read -P 0x33 ${33.5 * MIB} 512k`,
    )
  }
})

test('parts of one physical block written at all members at once are all there', async () => {
  const first = 40 * MIB
  const blocks = 24
  const sectors = (member: number) =>
    Array.from({ length: blocks * 8 }, (_, i) => i).filter((i) => i % 3 === member)
  for (const round of [1, 2, 3]) {
    const writes = group.members.map((member, n) =>
      qemuIo(
        member,
        ...sectors(n).map((i) => `aio_write -q -P ${round * 16 + n} ${first + i * 512} 512`),
        'aio_flush',
      ),
    )
    await Promise.all(writes)
    const reads = group.members.map((reader) =>
      qemuIo(
        reader,
        ...group.members.flatMap((_, n) =>
          sectors(n).map((i) => `read -q -P ${round * 16 + n} ${first + i * 512} 512`),
        ),
      ),
    )
    await Promise.all(reads)
  }
})
