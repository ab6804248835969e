// How does a member compare with Debian's tgt, on the same machine, in the same minutes, under the same load?
//
//   npm run bench -- [--rounds N] [--seconds S] [--only TEXT] [--no-write]
//
// Each round gives every work to every system in turn (another one first each time), so that what the machine does beside
// hits all alike; ratios are taken within a round. Writes bench/RESULTS.md. CPU is utime + stime of all processes of a
// server, from the start of the sample to the end of the rest behind it: what a write leaves to be done later counts.
import { readFileSync } from 'node:fs'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Caller } from '../src/api/caller.ts'
import type { VolumeDetail } from '../src/api/schema.ts'
import { RUN_BYTES } from '../src/base/sizes.ts'
import { freeRange, type RunningGroup, startGroup, stopGroup } from '../test/e2e/running-group.ts'
import { primaryAt } from '../test/kit/primary-at.ts'
import { Load, type Region, type Work } from './load.ts'
import { type Measured, results } from './results.ts'
import { Tgt } from './tgt.ts'

const MEMBERS = 2
const PORTS = 2 * MEMBERS + 1
const VOLUME_BYTES = 512 * 1024 ** 2
const WARM_MS = 300
/** Members bring blocks home a second after they became durable. */
const REST_MS = 1200
const IDLE_MS = 4000
const TICKS_A_SECOND = 100

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1.5' },
    only: { type: 'string', default: '' },
    'no-write': { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds)
const sampleMs = Number(options.seconds) * 1000

type NamedWork = Work & { readonly name: string }

const works: readonly NamedWork[] = (
  [
    { verb: 'read', order: 'random', bytes: 4096, depth: 1 },
    { verb: 'read', order: 'random', bytes: 4096, depth: 32 },
    { verb: 'write', order: 'random', bytes: 4096, depth: 1 },
    { verb: 'write', order: 'random', bytes: 4096, depth: 32 },
    { verb: 'read', order: 'sequential', bytes: 262_144, depth: 8 },
    { verb: 'write', order: 'sequential', bytes: 262_144, depth: 8 },
  ] as const
)
  .map((work) => ({
    ...work,
    name: `${work.bytes / 1024} KiB ${work.order} ${work.verb}, depth ${work.depth}`,
  }))
  .filter(({ name }) => name.includes(options.only))

interface System {
  readonly name: string
  readonly load: Load
  readonly region: Region
  readonly pids: readonly number[]
  /** Makes durable what the system only has in the page cache, so that it does not disturb who comes next. */
  readonly settle: () => Promise<void>
}

const [loadBefore = 0] = loadavg()
const folder = await mkdtemp(join(tmpdir(), 'bench-targets-'))
const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
try {
  const { systems, tgtVersion } = await startAll()
  for (const { name, load, region } of systems) {
    say(`filling ${name}`)
    await load.fill(region)
  }
  await rest(2 * REST_MS)
  const idleCores = await idle(systems)
  const measured: Measured[] = []
  for (let round = 1; round <= rounds; round += 1) {
    for (const work of works) {
      const order = systems.map((_, i) => systems[(i + round) % systems.length])
      for (const system of order) {
        if (system !== undefined) measured.push(await measure(round, work, system))
      }
    }
  }
  const command = `npm run bench -- --rounds ${rounds} --seconds ${options.seconds}`
  const text = results({
    measured,
    tgtVersion,
    command,
    rounds,
    members: MEMBERS,
    loadBefore,
    idleCores,
  })
  if (!options['no-write']) await writeFile(new URL('RESULTS.md', import.meta.url), text)
  console.log(text)
} finally {
  for (const close of closers.toReversed()) await close()
}
process.exit(0)

async function startAll(): Promise<{ readonly systems: readonly System[]; tgtVersion: string }> {
  const firstPort = await freeRange(PORTS)
  say('starting a group')
  const flags = ['--members', String(MEMBERS), '--placement', 'off', '--balance', 'off']
  const group = await startGroup(join(folder, 'group'), firstPort, ...flags)
  closers.push(() => stopGroup(group))
  group.process.stdout?.resume()
  const request = { name: 'bench', bytes: VOLUME_BYTES, blockBytes: 512, shared: false } as const
  const volume = await new Caller(group.ready.api).createVolume(request)
  const [home, other] = group.ready.members.map(({ id }) => regionOf(volume, id))
  if (home === undefined || other === undefined) throw new Error('a group of two members')

  say('starting tgt')
  const tgt = await Tgt.start(folder, firstPort + PORTS - 1, VOLUME_BYTES)
  closers.push(() => tgt.stop())

  const portal = firstPort + 1
  const session = await Load.connect({ port: portal, iqn: volume.iqn, lun: 0 })
  const ours = { load: session, pids: pidsOf(group), settle: () => Promise.resolve() }
  const peer = async (disk: { readonly iqn: string; readonly file: string }) => ({
    load: await Load.connect({ port: tgt.port, iqn: disk.iqn, lun: 1 }),
    region: home,
    pids: [tgt.pid],
    settle: () => sync(disk.file),
  })
  const systems: System[] = [
    { name: 'tgt', ...(await peer(tgt.plain)) },
    { name: 'tgt, write-through', ...(await peer(tgt.writeThrough)) },
    { name: 'Evenkeel, local', region: home, ...ours },
    { name: 'Evenkeel, forwarded', region: other, ...ours },
  ]
  closers.push(async () => {
    for (const { load } of systems) load.close()
  })
  return { systems, tgtVersion: tgt.version }
}

/** The runs of the volume whose primary this member is. */
function regionOf(volume: VolumeDetail, member: string): Region {
  const runs = Array.from({ length: VOLUME_BYTES / RUN_BYTES }, (_, run) => run)
  const mine = runs.filter((run) => primaryAt(volume, run * RUN_BYTES) === member)
  return { offsets: mine.map((run) => run * RUN_BYTES), RUN_BYTES }
}

function pidsOf(group: RunningGroup): readonly number[] {
  const launcher = group.process.pid
  return [
    ...(launcher === undefined ? [] : [launcher]),
    ...group.ready.members.map(({ pid }) => pid),
  ]
}

async function measure(round: number, work: NamedWork, system: System): Promise<Measured> {
  const { load, region, pids, settle } = system
  let fromTicks = 0
  const began = () => {
    fromTicks = cpuTicks(pids)
  }
  const sample = await load.sample(work, region, { warmMs: WARM_MS, ms: sampleMs, began })
  if (work.verb === 'write') {
    await settle()
    await rest(REST_MS)
  }
  const serverUs = ((cpuTicks(pids) - fromTicks) * (1e6 / TICKS_A_SECOND)) / sample.commands
  const iops = sample.commands / sample.seconds
  const line = [
    `round ${round}/${rounds}`,
    work.name.padEnd(36),
    system.name.padEnd(20),
    `${iops.toFixed(0).padStart(7)}/s`,
    `${serverUs.toFixed(1).padStart(6)} µs CPU`,
  ]
  say(line.join('  '))
  return { round, work: work.name, system: system.name, iops, serverUs, ...sample }
}

/** utime + stime of processes with all their threads (proc_pid_stat(5), fields 14 and 15). */
function cpuTicks(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks
}

/** Cores in use while nobody asks anything, by system. */
async function idle(systems: readonly System[]): Promise<ReadonlyMap<string, number>> {
  const before = systems.map(({ pids }) => cpuTicks(pids))
  await rest(IDLE_MS)
  const cores = systems.map(({ name, pids }, i) => {
    const ticks = cpuTicks(pids) - (before[i] ?? 0)
    return [name, ticks / TICKS_A_SECOND / (IDLE_MS / 1000)] as const
  })
  return new Map(cores)
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r')
  await handle.datasync()
  await handle.close()
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function say(line: string): void {
  console.error(line)
}
