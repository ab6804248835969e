// evenkeel demo: the picture of the product as a command. A fresh group of three in a temporary folder, distribution
// off; five real iSCSI initiators at fixed rates; the table; distribution on; the move as it happens; the table after.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { Caller } from '../../api/caller.ts'
import type { Move, Top } from '../../api/schema.ts'
import { SystemClock } from '../../io/clock.ts'
import { SystemNet } from '../../io/net.ts'
import { freeBasePort } from '../../member/free-ports.ts'
import { type RunningGroup, superviseGroup } from '../../member/supervise.ts'
import { type GlobalOptions, type Outside, screenOf } from '../context.ts'
import { CommandFailed, EXIT } from '../exit-code.ts'
import type { Screen } from '../screen.ts'
import { formatSize } from '../size.ts'
import { serveChild } from '../up.ts'
import { fig5, LEVEL_AT_MOST, type Scenario, unequal } from './scenario.ts'
import { Worker } from './worker.ts'

/** CPU that a client of one unit should cost its member: enough to stand out, little enough for one small machine. */
const UNIT_CORES = 0.05
const CALIBRATION_RATE = 1_000
const CALIBRATION_MS = 8_000
const RATE_RANGE = [40, 4_000] as const
const SETTLE_MS = 10_000
const MOVE_WITHIN_MS = 60_000
const AFTER_MS = 12_000
const MOVES = 50

/** The policy of a group that should show in a minute what it otherwise takes its time for. */
const POLICY = {
  mode: 'off',
  kappa: 0.05,
  intervalSeconds: 2,
  minAgeSeconds: 5,
  sigmas: 1,
  pauseStableSeconds: 0.002,
} as const

export function demoCommand(outside: Outside): Command {
  return new Command('demo')
    .description('show how a session is moved by load, with real initiators, in about a minute')
    .option('--unequal', 'clients of unequal rates, where counting sessions would mislead', false)
    .action(async ({ unequal: other }: { unequal: boolean }, command: Command) => {
      const { output } = command.optsWithGlobals<GlobalOptions>()
      await demo(other ? unequal : fig5, screenOf(outside, output))
    })
}

function failed(sentence: string): CommandFailed {
  return new CommandFailed(EXIT.failed, sentence)
}

async function demo(scenario: Scenario, screen: Screen): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-demo-'))
  const stop = Promise.withResolvers<string>()
  process.once('SIGINT', () => stop.resolve('Ctrl-C'))
  process.once('SIGTERM', () => stop.resolve('SIGTERM'))
  let group: RunningGroup | null = null
  try {
    group = await startGroup(folder, screen, stop.promise)
    if (group === null) return
    const told = stop.promise.then((why) => Promise.reject(failed(`stopped by ${why}`)))
    await Promise.race([show(scenario, group, screen), told])
  } finally {
    await group?.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function startGroup(
  folder: string,
  screen: Screen,
  giveUp: Promise<string>,
): Promise<RunningGroup | null> {
  screen.note('Starting a group of three members in a temporary folder …')
  return superviseGroup({
    plan: {
      members: 3,
      dataFolder: folder,
      basePort: await freeBasePort('127.0.0.1', 6),
      placement: 'off',
      balance: 'off',
      policy: POLICY,
      budgetBytes: null,
      acceptDamage: [],
      temporaryFolder: tmpdir(),
    },
    command: serveChild,
    say: (line) => screen.note(line),
    giveUp,
  })
}

async function show(scenario: Scenario, group: RunningGroup, screen: Screen): Promise<void> {
  const caller = new Caller(group.api)
  const workers = await connect(scenario, group)
  try {
    screen.note(`Five initiators: ${scenario.title}. Distribution is off.`)
    const rate = await calibrate(workers, scenario, caller)
    await sleep(SETTLE_MS)
    const before = await caller.top()
    if (screen.form === 'table') screen.print(`\n${picture(before, screen)}\n\n`)
    screen.note(
      `One unit is ${Math.round(rate)} commands a second. Distribution is switched on ` +
        `(for the demo: κ ${POLICY.kappa}, a decision every ${POLICY.intervalSeconds} s, ${POLICY.sigmas} σ, pauses of ${1_000 * POLICY.pauseStableSeconds} ms).`,
    )
    await caller.setBalance('on')
    await waitForMove(caller, screen)
    await sleep(AFTER_MS)
    const after = await caller.top()
    const moves = (await caller.moves(MOVES)).items.filter(({ by }) => by === 'balance')
    await Promise.all(workers.map((worker) => worker.finish()))
    conclude({ scenario, workers, moves: [...moves], after }, screen)
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()))
  }
}

async function connect(scenario: Scenario, group: RunningGroup): Promise<Worker[]> {
  const volume = group.volumes[0]
  if (volume === undefined) throw failed('the demo group has no volume')
  const clock = new SystemClock()
  const net = new SystemNet()
  const workers: Worker[] = []
  for (const [i, { member }] of scenario.clients.entries()) {
    const [host = '', port = ''] = (group.members[member]?.portal ?? '').split(':')
    workers.push(
      await Worker.start({
        net,
        clock,
        portal: { kind: 'tcp', host, port: Number(port) },
        targetName: volume.iqn,
        number: i + 1,
        volumeBytes: volume.bytes,
      }),
    )
  }
  return workers
}

/** Chooses the rate at which a client of one unit costs UNIT_CORES by the group's own cost model. */
async function calibrate(workers: Worker[], scenario: Scenario, caller: Caller): Promise<number> {
  for (const worker of workers) worker.rate = CALIBRATION_RATE
  await sleep(CALIBRATION_MS)
  const { sessions } = await caller.top()
  const loads = sessions.map(({ load }) => load ?? 0).filter((load) => load > 0)
  const mean = loads.reduce((sum, load) => sum + load, 0) / Math.max(1, loads.length)
  const wanted = mean > 0 ? (CALIBRATION_RATE * UNIT_CORES) / mean : CALIBRATION_RATE
  const rate = Math.min(RATE_RANGE[1], Math.max(RATE_RANGE[0], wanted))
  for (const [i, { units }] of scenario.clients.entries()) {
    const worker = workers[i]
    if (worker !== undefined) worker.rate = rate * units
  }
  return rate
}

async function waitForMove(caller: Caller, screen: Screen): Promise<void> {
  const until = performance.now() + MOVE_WITHIN_MS
  while (performance.now() < until) {
    const move = (await caller.moves(MOVES)).items.find(({ by }) => by === 'balance')
    if (move?.outcome != null) {
      screen.note(`\n${move.reason}`)
      return
    }
    await sleep(200)
  }
  const { decisions } = await caller.balance()
  const last = decisions[0]?.sentence ?? 'nothing was decided'
  throw failed(`no session was moved within ${MOVE_WITHIN_MS / 1_000} s: ${last}`)
}

function attributed(top: Top): Map<string, { sessions: number; load: number }> {
  const members = new Map(top.members.map(({ id }) => [id, { sessions: 0, load: 0 }]))
  for (const { member, load } of top.sessions) {
    const sum = members.get(member) ?? { sessions: 0, load: 0 }
    members.set(member, { sessions: sum.sessions + 1, load: sum.load + (load ?? 0) })
  }
  return members
}

function picture(top: Top, screen: Screen): string {
  const most = Math.max(...[...attributed(top).values()].map(({ load }) => load), 1e-9)
  const rows = [...attributed(top)].map(([id, { sessions, load }]) => [
    id,
    String(sessions),
    load.toFixed(3),
    '█'.repeat(Math.round((24 * load) / most)),
    top.sessions
      .filter(({ member }) => member === id)
      .map(({ initiator }) => initiator.slice(initiator.lastIndexOf(':') + 1))
      .join(' '),
  ])
  return screen.table(['MEMBER', 'SESSIONS>', 'CORES>', 'ATTRIBUTED LOAD', 'INITIATORS'], rows)
}

interface Result {
  readonly scenario: Scenario
  readonly workers: readonly Worker[]
  readonly moves: readonly Move[]
  readonly after: Top
}

function conclude({ scenario, workers, moves, after }: Result, screen: Screen): void {
  const sum = (of: (worker: Worker) => number) => workers.reduce((total, w) => total + of(w), 0)
  const loads = [...attributed(after).values()]
  const mean = loads.reduce((total, { load }) => total + load, 0) / loads.length
  const level = Math.max(...loads.map(({ load }) => load)) / mean
  const errors = sum(({ errors: count }) => count)
  const miscompares = sum(({ miscompares: count }) => count)
  const verifiedBytes = sum(({ verifiedBytes: bytes }) => bytes)
  const resent = sum(({ initiator }) => initiator.travels.resent)
  const sessions = loads.map(({ sessions: count }) => count)
  const [move] = moves
  const wrong = [
    moves.length === 1 ? null : `${moves.length} sessions were moved instead of one`,
    move?.from === 'm1' && move.to === 'm2' ? null : `the move went ${move?.from} → ${move?.to}`,
    sessions.join() === scenario.after.join() ? null : `sessions are ${sessions.join(', ')}`,
    level <= LEVEL_AT_MOST ? null : `the highest load is ${level.toFixed(2)} × the mean`,
    errors === 0 ? null : `${errors} I/O errors`,
    miscompares === 0 ? null : `${miscompares} blocks read wrong`,
    verifiedBytes > 0 ? null : 'nothing was verified',
  ].filter((sentence) => sentence !== null)
  const result = {
    moves,
    sessions,
    level,
    resent,
    errors,
    miscompares,
    verifiedBytes,
    ok: wrong.length === 0,
    wrong,
  }
  screen.show(result, () => `\n${picture(after, screen)}\n\n${facts(result, screen)}`)
  if (wrong.length > 0) throw failed(`the demo failed: ${wrong.join('; ')}`)
}

function facts(
  result: {
    readonly moves: readonly Move[]
    readonly level: number
    readonly resent: number
    readonly errors: number
    readonly miscompares: number
    readonly verifiedBytes: number
  },
  screen: Screen,
): string {
  const { moves, level, resent, errors, miscompares, verifiedBytes } = result
  const told = moves.map(
    ({ session, from, to, drainMs, pauseMs, outcome }) =>
      `session ${session} ${from} → ${to}, ${outcome}: drained in ${ms(drainMs)}, paused for ${ms(pauseMs)}`,
  )
  return screen.facts([
    ['moves', `${moves.length}${told.length > 0 ? `: ${told.join('; ')}` : ''}`],
    ['highest load', `${level.toFixed(2)} × the mean`],
    ['commands sent again', String(resent)],
    ['I/O errors', String(errors)],
    ['read wrong', String(miscompares)],
    ['verified', `${formatSize(verifiedBytes)}, every block as it was written`],
  ])
}

function ms(value: number | null): string {
  return value === null ? 'an unknown time' : `${value.toFixed(value < 10 ? 1 : 0)} ms`
}
