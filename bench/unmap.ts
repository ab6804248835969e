// What unmapping costs: of nothing, of what is full, to a reader beside it, and over a whole volume of 17 TiB as mke2fs and
// blkdiscard ask for it, each in the longest commands that VPD page B0h allows. A group of three members of its own.
//
//   sh scripts/node.sh bench/unmap.ts [--volume 17T] [--full 512M]
import { mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Caller } from '../src/api/caller.ts'
import { readU32 } from '../src/base/bytes.ts'
import { Prng } from '../src/base/prng.ts'
import { RUN_BYTES } from '../src/base/sizes.ts'
import { parseSize } from '../src/cli/size.ts'
import { unmapCdb, unmapList } from '../src/initiator/cdb.ts'
import { Initiator } from '../src/initiator/initiator.ts'
import { SystemClock } from '../src/io/clock.ts'
import { SystemNet } from '../src/io/net.ts'
import { freeRange, startGroup, stopGroup } from '../test/e2e/running-group.ts'
import { primaryAt } from '../test/kit/primary-at.ts'

const MIB = 1024 ** 2
const BLOCK_BYTES = 512
const PORTS = 6
const EXTENT = 512 * MIB
const DEPTH = 8

const { values: options } = parseArgs({
  options: {
    volume: { type: 'string', default: '17T' },
    full: { type: 'string', default: '512M' },
  },
})
const volumeBytes = parseSize(options.volume)
const fullBytes = parseSize(options.full)
const folder = await mkdtemp(join(tmpdir(), 'bench-unmap-'))
const firstPort = await freeRange(PORTS)
const flags = ['--members', '3', '--copies', '1', '--placement', 'off', '--balance', 'off']
const group = await startGroup(join(folder, 'group'), firstPort, ...flags)
group.process.stdout?.resume()
try {
  const request = {
    name: 'bench',
    bytes: volumeBytes,
    blockBytes: BLOCK_BYTES,
    shared: true,
  } as const
  const volume = await new Caller(group.ready.api).createVolume(request)
  const connect = () =>
    Initiator.connect({
      ...{ net: new SystemNet(), clock: new SystemClock(), prng: new Prng(1) },
      portal: { kind: 'tcp', host: '127.0.0.1', port: firstPort + 1 },
      targetName: volume.iqn,
      initiatorName: 'iqn.2026-11.bench.evenkeel:unmap',
      isid: { kind: 'random' },
    })
  const initiator = await connect()
  const reader = await connect()
  const command = async (cdb: Uint8Array, more: { write?: Uint8Array; read?: Uint8Array }) => {
    const answer = await initiator.command({ cdb, ...more })
    if (answer.kind !== 'answered' || answer.status !== 0) throw new Error(JSON.stringify(answer))
  }
  const unmap = (offset: number, bytes: number) =>
    command(unmapCdb(), { write: unmapList(offset / BLOCK_BYTES, bytes / BLOCK_BYTES) })
  const runs = Array.from({ length: 256 }, (_, run) => run * RUN_BYTES)
  const runAt = (member: string) => runs.find((at) => primaryAt(volume, at) === member) ?? 0

  console.log(`load average ${loadavg()[0]?.toFixed(1)}; volume ${options.volume}`)
  for (const member of ['m1', 'm2']) {
    const at = runAt(member)
    row(
      `16 MiB of nothing at ${member === 'm1' ? 'the own' : 'another'} member`,
      await times(200, () => unmap(at, RUN_BYTES)),
    )
  }
  row('512 MiB of nothing', await times(100, (i) => unmap(i * EXTENT, EXTENT)))

  const full = []
  for (let round = 0; round < 3; round += 1) {
    await fill(initiator, fullBytes)
    await new Promise((resolve) => setTimeout(resolve, 3_000)) // home
    full.push(...(await times(1, () => unmap(0, fullBytes))))
  }
  row(`${options.full} that are full`, full)

  const lba = runAt('m2') / BLOCK_BYTES
  const into = new Uint8Array(4096)
  const read = () => reader.read(lba, 4096 / BLOCK_BYTES, into)
  row('4 KiB read of another member, alone', await times(500, read))
  let isOver = false
  let unmaps = 0
  const beside = Array.from({ length: DEPTH }, async (_, lane) => {
    for (let i = lane; !isOver; i += DEPTH) {
      await unmap((i % 1_000) * EXTENT, EXTENT)
      unmaps += 1
    }
  })
  row(`the same beside depth ${DEPTH} × 512 MiB of unmaps`, await times(500, read))
  isOver = true
  await Promise.all(beside)
  console.log(`  (${unmaps} unmaps meanwhile)`)

  const page = new Uint8Array(64)
  await command(Uint8Array.from([0x12, 1, 0xb0, 0, page.length, 0]), { read: page })
  const most = readU32(page, 20) * BLOCK_BYTES
  for (const depth of [1, DEPTH]) {
    const beganMs = performance.now()
    let next = 0
    const lanes = Array.from({ length: depth }, async () => {
      for (let at = next; at < volumeBytes; at = next) {
        next += most
        await unmap(at, Math.min(most, volumeBytes - at))
      }
    })
    await Promise.all(lanes)
    const seconds = ((performance.now() - beganMs) / 1000).toFixed(2)
    console.log(
      `${options.volume} in ${Math.ceil(volumeBytes / most)} commands of ${most / MIB} MiB, depth ${depth}: ${seconds} s`,
    )
  }
  await initiator.close()
  await reader.close()
} finally {
  await stopGroup(group)
  await rm(folder, { recursive: true, force: true })
}
process.exit(0)

/** Blocks that are not zeros. */
async function fill(initiator: Initiator, bytes: number): Promise<void> {
  const data = new Uint8Array(MIB).fill(0x5a)
  let next = 0
  const lanes = Array.from({ length: DEPTH }, async () => {
    for (let at = next; at < bytes; at = next) {
      next += MIB
      await initiator.write(at / BLOCK_BYTES, data)
    }
  })
  await Promise.all(lanes)
}

async function times(count: number, work: (i: number) => Promise<unknown>): Promise<number[]> {
  const took: number[] = []
  for (let i = 0; i < count; i += 1) {
    const beganMs = performance.now()
    await work(i)
    took.push(performance.now() - beganMs)
  }
  return took
}

function row(what: string, took: readonly number[]): void {
  const sorted = [...took].sort((a, b) => a - b)
  const at = (part: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(2)
  console.log(`${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, least ${at(0)} ms`)
}
