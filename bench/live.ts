// What a group does that is not simulated: three members as processes, six initiators at fixed unequal rates, all at the first
// member, and the distribution under its default policy. Once on a fresh group and once on one that was level for a while.
// Judged are the order of the sessions that were moved, the commands of each member some minutes after, that nothing is moved
// then, and what moves brought beside what they were predicted to bring.
//
//   npm run bench:live -- [--minutes 45] [--runs 3] [--within 3] [--after 5] [--share 0.8] [--policy kappa=5,…]
//
// --minutes: how long the old group is level before. --within: until then it must be level; --after: and then be quiet. --share: of what
// this machine gives, so much is asked. On a machine that is busy with other things members are all but idle, and then nothing
// is worth a move: it is told how full they were, and a lower kappa has it judge the rest.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Caller } from '../src/api/caller.ts'
import type { Move, Top } from '../src/api/schema.ts'
import { Worker } from '../src/cli/demo/worker.ts'
import { serveChild } from '../src/cli/up.ts'
import { SystemClock } from '../src/io/clock.ts'
import { SystemNet } from '../src/io/net.ts'
import { onFreePorts } from '../src/supervisor/free-ports.ts'
import { type RunningGroup, superviseGroup } from '../src/supervisor/supervise.ts'

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '45' },
    runs: { type: 'string', default: '3' },
    within: { type: 'string', default: '3' },
    after: { type: 'string', default: '5' },
    share: { type: 'string', default: '0.8' },
    policy: { type: 'string', default: '' },
  },
})
const MINUTE_MS = 60_000
const policy = Object.fromEntries(
  options.policy
    .split(',')
    .filter((one) => one !== '')
    .map((one) => one.split('='))
    .map(([key, value]) => [key, Number(value)]),
)

/** Of the unit that is calibrated, so unequal that which of them moves matters; all at m1. */
const UNITS = [1.6, 1.3, 1, 0.9, 0.7, 0.5]
const LEVEL_UNITS = 2
const MEMBERS = 3
const CALIBRATE_MS = 8_000
const ALL_THERE_IS = 100_000
const MOVES_MAX = 1000
/** No member may do less than this of the mean; a prediction may be off by this. */
const LEAST_SHARE = 0.5
const MOST_OFF = 2

interface Found {
  readonly age: 'fresh' | 'old'
  /** Utilisation of the fullest member before anything is moved. */
  readonly before: number
  readonly order: readonly string[]
  readonly iops: readonly number[]
  readonly late: number
  readonly ratios: readonly number[]
  /** The last decision, in its own words. */
  readonly said: string
  readonly wrong: readonly string[]
}

async function inGroup(
  work: (group: RunningGroup, caller: Caller) => Promise<Found>,
): Promise<Found> {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-live-'))
  let group: RunningGroup | null = null
  try {
    const plan = {
      members: MEMBERS,
      copies: 1,
      dataFolder: folder,
      placement: 'off',
      balance: 'off',
      policy: {},
      budgetBytes: null,
      cacheBytes: 0,
      acceptDamage: [],
      acceptLoss: [],
      temporaryFolder: tmpdir(),
    } as const
    group = await onFreePorts('127.0.0.1', 2 * MEMBERS, (basePort) =>
      superviseGroup({
        plan: { ...plan, basePort },
        command: serveChild,
        say: (line) => console.error(line),
        giveUp: new Promise(() => {}),
      }),
    )
    if (group === null) throw new Error('the group did not start')
    return await work(group, new Caller(group.api))
  } finally {
    await group?.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function connect(
  group: RunningGroup,
  members: readonly number[],
  first: number,
): Promise<Worker[]> {
  const volume = group.volumes[0]
  if (volume === undefined) throw new Error('the group has no volume')
  const workers: Worker[] = []
  for (const [i, member] of members.entries()) {
    const [host = '', port = ''] = (group.members[member]?.portal ?? '').split(':')
    workers.push(
      await Worker.start({
        ...{ net: new SystemNet(), clock: new SystemClock(), number: first + i },
        ...{ targetName: volume.iqn, volumeBytes: volume.bytes },
        portal: { kind: 'tcp', host, port: Number(port) },
      }),
    )
  }
  return workers
}

/** Commands a second of one unit, if all that this machine gives is shared among them. */
async function calibrate(group: RunningGroup): Promise<number> {
  const workers = await connect(group, [0, 0, 0, 0, 0, 0], 10)
  const answers = () => workers.reduce((sum, { initiator }) => sum + initiator.travels.answers, 0)
  for (const worker of workers) worker.rate = ALL_THERE_IS
  await sleep(CALIBRATE_MS / 2)
  const [first, fromMs] = [answers(), performance.now()]
  await sleep(CALIBRATE_MS / 2)
  const given = ((answers() - first) * 1_000) / (performance.now() - fromMs)
  await Promise.all(workers.map((worker) => worker.stop()))
  return (Number(options.share) * given) / UNITS.reduce((a, b) => a + b, 0)
}

async function live(age: Found['age']): Promise<Found> {
  return inGroup(async (group, caller) => {
    const unit = await calibrate(group)
    await caller.setBalance({ mode: 'on', policy })
    if (age === 'old') await growOld(group, unit)
    const workers = await connect(
      group,
      UNITS.map(() => 0),
      1,
    )
    workers.forEach((worker, i) => {
      worker.rate = unit * (UNITS[i] ?? 0)
    })
    try {
      return await watch(age, caller)
    } finally {
      await Promise.all(workers.map((worker) => worker.stop()))
    }
  })
}

async function growOld(group: RunningGroup, unit: number): Promise<void> {
  const workers = await connect(group, [0, 1, 2], 7)
  for (const worker of workers) worker.rate = LEVEL_UNITS * unit
  await sleep(Number(options.minutes) * MINUTE_MS)
  await Promise.all(workers.map((worker) => worker.stop()))
}

async function watch(age: Found['age'], caller: Caller): Promise<Found> {
  const moved = async () =>
    (await caller.moves(MOVES_MAX)).items.filter(({ by }) => by === 'balance').toReversed()
  const earlier = (await moved()).length
  const untilMs = performance.now() + Number(options.within) * MINUTE_MS
  let before = 0
  while (performance.now() < untilMs) {
    await sleep(1_000)
    const utilisations = utilisationsOf(await caller.top())
    if ((await moved()).length === earlier) before = Math.max(...utilisations)
  }
  const iops = (await caller.top()).members.map(({ load }) => load?.iops ?? 0)
  const soon = (await moved()).slice(earlier)
  await sleep(Number(options.after) * MINUTE_MS)
  const all = (await moved()).slice(earlier)
  const [last] = (await caller.balance()).decisions
  return judged({ age, before, iops, moves: all, soon: soon.length, said: last?.sentence ?? '' })
}

const utilisationsOf = ({ members }: Top) => members.map(({ load }) => load?.utilisation ?? 0)

function judged(seen: {
  readonly age: Found['age']
  readonly before: number
  readonly iops: readonly number[]
  readonly moves: readonly Move[]
  readonly soon: number
  readonly said: string
}): Found {
  const { age, before, iops, moves, soon, said } = seen
  const mean = iops.reduce((a, b) => a + b, 0) / iops.length
  const late = moves.length - soon
  const ratios = moves.flatMap(({ predicted, observed }) =>
    predicted === null || observed === null ? [] : [observed / predicted.gain],
  )
  const wrong = [
    soon > 0 ? null : `nothing was moved within ${options.within} min`,
    Math.min(...iops) >= LEAST_SHARE * mean ? null : 'a member does less than half of the mean',
    late === 0 ? null : `${late} moves afterwards`,
    ratios.every((x) => x >= 1 / MOST_OFF && x <= MOST_OFF)
      ? null
      : 'a prediction was off by more than 2',
  ].filter((sentence) => sentence !== null)
  const order = moves.map(
    ({ initiator, from, to }) => `${initiator.replace(/^.*:/, '')} ${from}→${to}`,
  )
  return { age, before, order, iops: iops.map(Math.round), late, ratios, said, wrong }
}

let failed = 0
for (let run = 1; run <= Number(options.runs); run++) {
  for (const age of ['fresh', 'old'] as const) {
    const found = await live(age)
    if (found.wrong.length > 0) failed += 1
    console.log(JSON.stringify({ run, ...found }))
  }
}
process.exitCode = failed > 0 ? 1 : 0
