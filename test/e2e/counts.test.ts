// What a command costs in what can be counted, however busy the machine is: system calls that read or write, bytes through
// them, flushes, bytes allocated and bytes copied. Two members in a process of their own, with a real store on a real
// folder and real sockets, are given a fixed run of commands (test/kit/counted-members.ts); the journal and what it leaves
// to be brought home are in it, and so are the blocks in memory: reads find them there, and writes renew them.
//
// The bounds are what was measured, with room for what differs between runs: a third for calls, whose number depends on how
// many commands come at once (at depth 32 more are usual than a busy machine makes), more for what is allocated, which the
// collector rounds, and a tenth for bytes. A figure above its bound:
//   readCalls, writeCalls   another system call a command, or answers that no longer leave together
//   readBytes, writtenBytes the same bytes moved once more: a write that is written again, a read that is read again
//   syncs                   commits that no longer carry several writes
//   allocatedBytes          objects, closures, promises or buffers a command that were not there (main threads only)
//   copiedBytes             a copy of the payload that was not there
// Whoever makes a command cheaper lowers the bound: what was won is lost again unseen otherwise.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Load, type Work } from '../../bench/load.ts'
import { RUN_BYTES } from '../../src/base/sizes.ts'
import type { CountedVolume, Counts, Told } from '../kit/counted-members.ts'

const KIB = 1024
/** Of those that are local, and of those that are forwarded: what is filled. */
const RUNS = 4
const TRIES = 3

const figures = [
  'readCalls',
  'writeCalls',
  'readBytes',
  'writtenBytes',
  'syncs',
  'allocatedBytes',
  'copiedBytes',
] as const satisfies (keyof Counts)[]

/** Between the usual figure and its bound: a factor, and something on top, or a figure near 0 would have none. */
const room: Readonly<Record<keyof Counts, readonly [factor: number, onTop: number]>> = {
  readCalls: [1.3, 0.1],
  writeCalls: [1.3, 0.1],
  readBytes: [1.1, 0],
  writtenBytes: [1.1, 0],
  syncs: [1.3, 0.05],
  allocatedBytes: [1.4, 200],
  copiedBytes: [1.1, 0],
}

type Where = 'local' | 'forwarded'
interface Row {
  readonly name: string
  readonly where: Where
  readonly work: Work
  readonly commands: number
  /** A command, as measured. */
  readonly usual: Counts
}

const read = (kib: number, depth: number) => ({ reads: 100, kib, depth })
const write = (kib: number, depth: number) => ({ reads: 0, kib, depth })

const rows: readonly Row[] = [
  // commands, then as `figures`: calls that read and write, bytes read and written, syncs, allocated, copied
  row(read(4, 1), 'local', 2048, [1.5, 1, 1700, 4144, 0, 2900, 4096]),
  row(read(4, 32), 'local', 16_384, [0.85, 0.25, 3090, 4144, 0, 1000, 4096]),
  row(read(256, 8), 'local', 256, [1.2, 1, 262_200, 262_200, 0, 6000, 2600]),
  row(write(4, 1), 'local', 256, [2.7, 4.4, 4170, 8500, 1, 13_700, 12_300]),
  row(write(4, 32), 'local', 2048, [0.55, 1.05, 4170, 8100, 0.15, 6500, 12_300]),
  row(write(256, 8), 'local', 128, [2.2, 2.2, 262_200, 290_000, 0.95, 46_000, 450_000]),
  row(read(4, 1), 'forwarded', 2048, [3.5, 3, 5200, 8400, 0, 11_300, 16_400]),
  row(read(4, 32), 'forwarded', 8192, [1.2, 0.6, 6440, 8400, 0, 5100, 16_400]),
  row(read(256, 8), 'forwarded', 256, [3.7, 6.7, 524_700, 525_500, 0, 70_000, 580_000]),
  row(write(4, 1), 'forwarded', 256, [4.7, 6.3, 8400, 12_500, 1, 20_000, 20_500]),
  row(write(4, 32), 'forwarded', 2048, [0.7, 1.4, 8390, 12_200, 0.15, 10_000, 20_500]),
  row(write(256, 8), 'forwarded', 128, [3.2, 7.5, 524_700, 550_000, 1, 70_000, 1_000_000]),
]

function row(
  { reads, kib, depth }: { reads: number; kib: number; depth: number },
  where: Where,
  commands: number,
  usual: readonly number[],
): Row {
  const verb = reads === 100 ? 'read' : 'write'
  return {
    name: `${kib} KiB ${verb}, depth ${depth}, ${where}`,
    where,
    work: { reads, bytes: kib * KIB, depth, order: kib === 4 ? 'random' : 'sequential' },
    commands,
    usual: countsOf((_, i) => usual[i] ?? Number.NaN),
  }
}

function countsOf(value: (name: keyof Counts, i: number) => number): Counts {
  return Object.fromEntries(figures.map((name, i) => [name, value(name, i)])) as unknown as Counts
}

let folder: string
let child: ChildProcess
let volume: CountedVolume
let load: Load

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-counts-'))
  const script = new URL('../kit/counted-members.ts', import.meta.url)
  child = fork(script, [folder], { execArgv: ['--expose-gc'] })
  volume = (await told(child)).volume ?? expect.unreachable('the volume is told first')
  load = await Load.connect({ port: volume.port, iqn: volume.iqn, lun: 0 })
  for (const offsets of [volume.local, volume.forwarded]) {
    await load.fill({ offsets: offsets.slice(0, RUNS), RUN_BYTES })
  }
  // What is compiled at first is no cost of a command.
  for (const row of rows) await run(row)
})

afterAll(async () => {
  load.close()
  const ended = once(child, 'exit')
  child.disconnect()
  await ended
  await rm(folder, { recursive: true })
})

/** A command, to three digits. */
async function counted(row: Row): Promise<Counts> {
  const from = await counts()
  await run(row)
  const to = await counts()
  return countsOf((name) => short((to[name] - from[name]) / row.commands))
}

function run({ work, where, commands }: Row): Promise<void> {
  const bytes = commands * work.bytes
  const runs = Math.ceil(bytes / RUN_BYTES)
  return load.once(work, { offsets: volume[where].slice(0, runs), RUN_BYTES: bytes / runs })
}

const short = (figure: number) => Number(figure.toPrecision(3))

async function counts(): Promise<Counts> {
  child.send('counts')
  return (await told(child)).counts ?? expect.unreachable('counts are told')
}

async function told(from: ChildProcess): Promise<Partial<Told>> {
  const ended = new AbortController()
  const [message] = await Promise.race([
    once(from, 'message', ended),
    once(from, 'exit', ended).then(([code]) => {
      throw new Error(`the members ended with exit code ${code}`)
    }),
  ]).finally(() => ended.abort())
  return message
}

function above({ usual }: Row, found: Counts): string[] {
  return figures.flatMap((name) => {
    const [factor, onTop] = room[name]
    const most = usual[name] * factor + onTop
    if (found[name] <= most) return []
    return [`${name}: ${found[name]} a command, usually ${usual[name]}, at most ${short(most)}`]
  })
}

test.each(rows)('$name', async (row) => {
  let least = countsOf(() => Number.POSITIVE_INFINITY)
  // What the members do beside commands is in it too, and more of that the longer the run takes: not so each time.
  for (let tries = 0; tries < TRIES && above(row, least).length > 0; tries += 1) {
    const found = await counted(row)
    least = countsOf((name) => Math.min(least[name], found[name]))
  }
  // Vitest shows it with the name of the row; whoever lowers a bound reads it there.
  console.log(Object.values(least).join(', '))
  expect(above(row, least)).toEqual([])
})
