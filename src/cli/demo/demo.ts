// evenkeel demo: the picture of the product as a command. A fresh group of three in a temporary folder, distribution
// off; five real iSCSI initiators at fixed rates; the table; distribution on; the move as it happens; the table after.
//
// The machine may be busy with other things, and is asked for no more than it can give: before anything is shown, three
// clients that are not shown find out how much that is, and have each member's code compiled. What is fixed is said:
// see `POLICY`.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { Caller } from '../../api/caller.ts'
import type { Top } from '../../api/schema.ts'
import { formatPercent } from '../../base/figures.ts'
import { SystemClock } from '../../io/clock.ts'
import { SystemNet } from '../../io/net.ts'
import { onFreePorts } from '../../supervisor/free-ports.ts'
import { type RunningGroup, superviseGroup } from '../../supervisor/supervise.ts'
import { type GlobalOptions, type Outside, screenOf } from '../context.ts'
import { CommandFailed, EXIT } from '../exit-code.ts'
import type { Screen } from '../screen.ts'
import { serveChild } from '../up.ts'
import { conclude, facts, ms, picture } from './outcome.ts'
import { openBrowser, play } from './play.ts'
import { fig5, type Scenario, unequal } from './scenario.ts'
import { isSteady } from './steady.ts'
import { Worker } from './worker.ts'

/** CPU that a client of one unit costs its member by the group's cost model, at most: a small machine gives less (SHARE_ASKED). */
const UNIT_CORES = 0.15
/**
 * κ for clients of one core each: what a move of theirs can save grows with the square of their load, and the right one saves several
 * times this in its time (`horizonSeconds`), one for noise of half a client not once.
 */
const KAPPA = 18
/** By so much the group's prices may be too high on a machine that it does not know yet. */
const MOST_OFF = 4
/** Units below the mean: the wrong move of the picture leaves its member 0.67 below, the right one 0.33 above. */
const UNDERSHOOT = 0.3
/** Of what the machine was seen to give, so that rates stay fixed while others use it. */
const SHARE_ASKED = 0.6
/** From this utilisation on it matters who serves whom. */
const MATTERS = 0.4
const WARM_UP_MS = 8_000
/** Asks for all there is. */
const WARM_UP_RATE = 100_000
const WARM_UP_CLIENTS = [13, 14, 15] as const
const SETTLE_MS = 14_000
const STEADY_WITHIN_MS = 45_000
const LOOK_MS = 1_000
const MOVE_WITHIN_MS = 90_000
const WATCH_MS = 50
/** Long enough for a second move to be decided, if there were a reason for one. */
const AFTER_MS = 12_000
const MOVES = 50

/**
 * The policy of a group that should show in a minute what it otherwise takes its time for; κ goes with the clients' rate. On a
 * machine that gives little, loads are a few percent, and who decides first must not move the wrong one: regret is waited for in
 * full, and nobody may fall below the mean by as much as the wrong move would make it.
 */
const POLICY = {
  leastRegret: 1,
  horizonSeconds: 20,
  intervalSeconds: 2,
  minAgeSeconds: 5,
  sigmas: 0.5,
  pauseStableSeconds: 0,
} as const

interface DemoOptions {
  readonly unequal: boolean
  readonly open: boolean
}

export function demoCommand(outside: Outside): Command {
  return new Command()
    .option('--unequal', 'clients of unequal rates, where counting sessions would mislead', false)
    .option(
      '--open',
      'open it in the browser, and go on after the picture, to be played with',
      false,
    )
    .action(async ({ unequal: other, open }: DemoOptions, command: Command) => {
      const { output } = command.optsWithGlobals<GlobalOptions>()
      await demo(other ? unequal : fig5, screenOf(outside, output), open ? outside : null)
    })
}

function failed(sentence: string): CommandFailed {
  return new CommandFailed(EXIT.failed, sentence)
}

/** `player`: who plays with it afterwards; null: nobody. */
async function demo(scenario: Scenario, screen: Screen, player: Outside | null): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-demo-'))
  const stop = Promise.withResolvers<string>()
  process.once('SIGINT', () => stop.resolve('Ctrl-C'))
  process.once('SIGTERM', () => stop.resolve('SIGTERM'))
  let group: RunningGroup | null = null
  try {
    group = await startGroup(folder, screen, stop.promise)
    if (group === null) throw failed('stopped before the group was ready')
    const told = stop.promise.then((why) => Promise.reject(failed(`stopped by ${why}`)))
    if (player !== null) {
      screen.note(`Watch it in a browser: ${group.api}`)
      openBrowser(group.api, player.environment)
    }
    const rate = await Promise.race([show(scenario, group, screen), told])
    if (player !== null) await goOn(scenario, group, { rate, screen, player, stop: stop.promise })
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
  screen.note('Starting a group of three members, each a process of its own …')
  const plan = {
    members: 3,
    // The picture is of what sessions weigh; what a second copy costs is in no session's weight.
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
  const say = (line: string) => screen.note(line)
  return onFreePorts('127.0.0.1', 2 * plan.members, (basePort) =>
    superviseGroup({ plan: { ...plan, basePort }, command: serveChild, say, giveUp }),
  )
}

interface GoingOn {
  readonly rate: number
  readonly screen: Screen
  readonly player: Outside
  readonly stop: Promise<string>
}

/** New clients as at the beginning: what balance makes of them can be watched. */
async function goOn(scenario: Scenario, group: RunningGroup, going: GoingOn): Promise<void> {
  const { rate, screen, player, stop } = going
  const workers = await connect(group, scenario.clients)
  try {
    for (const [i, worker] of workers.entries())
      worker.rate = rate * (scenario.clients[i]?.units ?? 1)
    const add = async (number: number) => {
      const [worker] = await connect(group, [{ member: number % group.members.length, number }])
      if (worker === undefined) throw failed('no client could log in')
      return worker
    }
    const { api } = group
    const { keyboard } = player
    await play({
      caller: new Caller(api),
      api,
      workers,
      connect: add,
      rate,
      screen,
      keyboard,
      stop,
    })
    const wrong = workers.reduce((sum, { miscompares }) => sum + miscompares, 0)
    if (wrong > 0) throw failed(`${wrong} blocks were not what had been written`)
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()))
  }
}

/** Settles with the rate of one unit. */
async function show(scenario: Scenario, group: RunningGroup, screen: Screen): Promise<number> {
  const caller = new Caller(group.api)
  screen.note('Finding out what this machine can give …')
  const rate = await calibrate(group, scenario, caller)
  const workers = await connect(group, scenario.clients)
  try {
    for (const [i, worker] of workers.entries())
      worker.rate = rate * (scenario.clients[i]?.units ?? 0)
    screen.note(
      `Five iSCSI initiators write and verify 4 KiB blocks of one volume:\n` +
        `${scenario.title}. One unit of load is\n` +
        `${Math.round(rate)} commands a second. Distribution is off.`,
    )
    await sleep(SETTLE_MS)
    const before = await steadyTop(caller)
    const cores = unitCores(scenario, before)
    const kappa = Number((KAPPA * cores ** 2).toPrecision(2))
    if (screen.isForPeople) screen.print(`\n${picture(before, screen)}\n\n`)
    screen.note(
      `${fullness(before)}${scenario.lesson}\n\n` +
        'Distribution is switched on. To show in a minute what otherwise takes several,\n' +
        `the policy decides every ${POLICY.intervalSeconds} s (default 5 s) about sessions that are ${POLICY.minAgeSeconds} s old (30 s),\n` +
        `wants a move to pay back within ${POLICY.horizonSeconds} s (900 s) a price of ${kappa} request-seconds (5),\n` +
        `and takes a gap of ${POLICY.sigmas} σ (3 σ) for real. Regret is waited for in full,\n` +
        'and pauses cost nothing.\n',
    )
    await caller.setBalance({
      mode: 'on',
      policy: { ...POLICY, kappa, undershoot: UNDERSHOOT * cores },
    })
    await watchMove(caller, screen)
    screen.note(`Verifying, and watching for moves that should not be, for ${AFTER_MS / 1_000} s …`)
    await sleep(AFTER_MS)
    const after = await caller.top()
    const moves = (await caller.moves(MOVES)).items.filter(({ by }) => by === 'balance')
    await Promise.all(workers.map((worker) => worker.finish()))
    const outcome = conclude({ scenario, workers, moves, before, after })
    screen.show(outcome, () => `\n${picture(after, screen)}\n\n${facts(outcome, screen)}`)
    if (!outcome.ok) throw failed(`the demo failed: ${outcome.wrong.join('; ')}`)
    return rate
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()))
  }
}

async function connect(
  group: RunningGroup,
  clients: readonly { readonly member: number; readonly number?: number }[],
): Promise<Worker[]> {
  const volume = group.volumes[0]
  if (volume === undefined) throw failed('the demo group has no volume')
  const clock = new SystemClock()
  const net = new SystemNet()
  const workers: Worker[] = []
  for (const [i, { member, number = i + 1 }] of clients.entries()) {
    const [host = '', port = ''] = (group.members[member]?.portal ?? '').split(':')
    workers.push(
      await Worker.start({
        net,
        clock,
        portal: { kind: 'tcp', host, port: Number(port) },
        targetName: volume.iqn,
        number,
        volumeBytes: volume.bytes,
      }),
    )
  }
  return workers
}

/** The rate of one unit: UNIT_CORES by the group's own cost model, if the machine can give that for all. */
async function calibrate(group: RunningGroup, scenario: Scenario, caller: Caller): Promise<number> {
  const places = WARM_UP_CLIENTS.map((number, member) => ({ member, number }))
  const workers = await connect(group, places)
  try {
    const answers = () => workers.reduce((sum, { initiator }) => sum + initiator.travels.answers, 0)
    for (const worker of workers) worker.rate = WARM_UP_RATE
    await sleep(WARM_UP_MS / 2)
    const [first, firstMs] = [answers(), performance.now()]
    await sleep(WARM_UP_MS / 2)
    const given = ((answers() - first) * 1_000) / (performance.now() - firstMs)
    const { sessions } = await caller.top()
    const load = sessions.reduce((sum, session) => sum + (session.load ?? 0), 0)
    const iops = sessions.reduce((sum, session) => sum + session.iops, 0)
    if (!(load > 0 && iops > 0)) throw failed('no load was measured')
    const units = scenario.clients.reduce((sum, client) => sum + client.units, 0)
    return Math.min((UNIT_CORES * iops) / load, (SHARE_ASKED * given) / units)
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()))
  }
}

/** Once the group knows what this machine's commands cost, or that takes too long. */
async function steadyTop(caller: Caller): Promise<Top> {
  const until = performance.now() + STEADY_WITHIN_MS
  const prices: number[] = []
  for (;;) {
    const top = await caller.top()
    const sum = (of: (session: Top['sessions'][number]) => number) =>
      top.sessions.reduce((all, session) => all + of(session), 0)
    prices.push(
      sum(({ load }) => load ?? 0) /
        Math.max(
          1,
          sum(({ iops }) => iops),
        ),
    )
    if (isSteady(prices) || performance.now() >= until) return top
    await sleep(LOOK_MS)
  }
}

/** On a machine that gives little nobody waits, and evenness is worth next to nothing: that is said. */
function fullness({ members }: Top): string {
  const most = Math.max(...members.map(({ load }) => load?.utilisation ?? 0))
  if (most >= MATTERS) return ''
  return (
    `The fullest member works at ${formatPercent(most)}: this machine is small, or busy with other things. From\n` +
    `some ${formatPercent(MATTERS)} on requests wait for each other, and a move pays at its usual price; here it does at a lower one.\n\n`
  )
}

/** What a unit costs: as the group prices it, or as the loads of the members differ, if that is less. */
function unitCores({ clients }: Scenario, { members, sessions }: Top): number {
  const units = members.map(() => 0)
  for (const { member, units: more } of clients) units[member] = (units[member] ?? 0) + more
  const sum = units.reduce((all, some) => all + some, 0)
  const priced = sessions.reduce((all, { load }) => all + (load ?? 0), 0) / sum
  const [most, least] = [units.indexOf(Math.max(...units)), units.indexOf(Math.min(...units))]
  const loadOf = (at: number) => members[at]?.load?.utilisation ?? 0
  const apart = (units[most] ?? 0) - (units[least] ?? 0)
  const seen = (loadOf(most) - loadOf(least)) / apart
  return Math.min(priced, Math.max(seen, priced / MOST_OFF))
}

/** Tells the move in its steps, as they become known. */
async function watchMove(caller: Caller, screen: Screen): Promise<void> {
  const until = performance.now() + MOVE_WITHIN_MS
  let isTold = false
  let sentence = ''
  while (performance.now() < until) {
    const move = (await caller.moves(MOVES)).items.find(({ by }) => by === 'balance')
    if (move !== undefined && !isTold) {
      isTold = true
      screen.note(`\n${screen.colours.bold(move.reason)}\n`)
      screen.note(
        `  ${move.from} finishes what session ${move.session} has asked of it and sends it to ${move.to} …`,
      )
    }
    const isMeasured = move?.outcome !== 'returned' || move.pauseMs !== null
    if (move?.outcome != null && isMeasured) {
      screen.note(
        `  ${move.outcome} at ${move.to}: drained in ${ms(move.drainMs)}, ${ms(move.pauseMs)} without an answer, ${move.resent ?? 0} commands sent again.\n`,
      )
      return
    }
    const [last] = (await caller.balance()).decisions
    if (last !== undefined && last.code !== 'MOVED' && last.sentence !== sentence) {
      sentence = last.sentence
      if (screen.isTerminal) screen.note(screen.colours.dim(`  ${sentence}`))
    }
    await sleep(WATCH_MS)
  }
  throw failed(
    `no session was moved within ${MOVE_WITHIN_MS / 1_000} s: ${sentence || 'nothing was decided'}`,
  )
}
