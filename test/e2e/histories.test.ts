// Several initiators on one volume while everything goes wrong at once, each fault on its own beat: sessions are moved,
// connections are cut, members are killed, and stopped for longer than their peers wait. What all of them saw is
// linearizable, block by block, nobody was told an error, and every move came to an outcome. By the seed there are one, two
// or three copies.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Move } from '../../src/api/schema.ts'
import { Prng } from '../../src/base/prng.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import { Clients, SERVED_AGAIN_MS } from '../kit/clients.ts'
import { TestGroup } from '../kit/group.ts'

const { EVENKEEL_FAULT_SECONDS = '25', EVENKEEL_SEED = String(Date.now() & 0x7fffffff) } =
  process.env
const FAULTS_MS = Number(EVENKEEL_FAULT_SECONDS) * 1000
const SEED = Number(EVENKEEL_SEED)
const COPIES = 1 + (SEED % 3)
const VOLUME_BYTES = 192 * 2 ** 20
/** Few, so that everybody meets at them. */
const BLOCKS_A_RUN = 3
const WORKERS = 2
/** Calls of the API to a member that is stopped just now are given up. */
const CALL_MS = 3_000

const prng = new Prng(SEED)
let group: TestGroup
/** Stopped just now; they are let go whatever happens. */
const stopped = new Set<number>()

beforeAll(async () => {
  group = await TestGroup.start('--copies', String(COPIES))
})
afterAll(async () => {
  for (const pid of stopped) process.kill(pid, 'SIGCONT')
  await group.stop()
})

const rest = (random: Prng, low: number, high: number) =>
  new Promise((resolve) => setTimeout(resolve, random.integer(low, high)))

interface Faults {
  cuts: number
  kills: number
  readonly stopsMs: number[]
}

/** A member that is hurt now: at most one at a time, so that somebody can be asked. */
let hurt = ''

async function moveSessions(goesOn: () => boolean, random: Prng): Promise<void> {
  while (goesOn()) {
    await rest(random, 50, 400)
    const at = random.pick(group.members.filter((member) => member !== hurt))
    try {
      const { body } = await group.call<{ items: { id: string }[] }>(
        'sessions',
        undefined,
        at,
        CALL_MS,
      )
      if (body.items.length === 0) continue
      const order = { to: random.pick(group.members), wait: false }
      const path = `sessions/${random.pick(body.items).id}/move`
      await group.call(path, order, at, CALL_MS)
    } catch (error) {
      // The member that was asked was hurt meanwhile; anything else is a fault of the test.
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error
    }
  }
}

async function cutConnections(
  clients: Clients,
  goesOn: () => boolean,
  faults: Faults,
  random: Prng,
): Promise<void> {
  while (goesOn()) {
    await rest(random, 200, 2_000)
    random.pick(clients.all).initiator.breakConnection()
    faults.cuts += 1
  }
}

async function hurtMembers(goesOn: () => boolean, faults: Faults, random: Prng): Promise<void> {
  for (let turn = random.integer(0, 5); goesOn(); turn += 1) {
    await rest(random, 300, 2_000)
    const victim = random.pick(group.members)
    const pid = await group.pidOf(victim)
    if (pid === null) continue
    hurt = victim
    if (turn % 3 === 0) {
      process.kill(pid, 'SIGKILL')
      faults.kills += 1
      const restarted = async () => ![null, pid].includes(await group.pidOf(victim))
      await expect.poll(restarted, { timeout: SERVED_AGAIN_MS, interval: 50 }).toBe(true)
    } else {
      // Every other stop is longer than an unanswered question may take, the longest than peers wait for a sign of life.
      const ms = turn % 3 === 1 ? random.integer(300, 1_500) : random.integer(1_500, 7_000)
      process.kill(pid, 'SIGSTOP')
      stopped.add(pid)
      await rest(random, ms, ms)
      process.kill(pid, 'SIGCONT')
      stopped.delete(pid)
      faults.stopsMs.push(ms)
    }
    hurt = ''
  }
}

test('what all initiators saw is linearizable, whatever is moved, cut, killed and stopped', async () => {
  const volume = await group.createVolume('histories', VOLUME_BYTES, BLOCK_BYTES)
  const clients = new Clients(group, volume, prng.fork(), BLOCKS_A_RUN)
  const faults: Faults = { cuts: 0, kills: 0, stopsMs: [] }
  try {
    // Of both kinds, and two of one name, which the login barrier has to tell apart.
    await clients.connect({ member: 'm1', writer: 1, isid: 'stable' })
    await clients.connect({ member: 'm2', writer: 2, isid: 'random', name: 'twins' })
    await clients.connect({ member: 'm3', writer: 3, isid: 'random', name: 'twins' })
    await clients.connect({ member: 'm3', writer: 4, isid: 'stable' })
    clients.begin(WORKERS)
    const endMs = performance.now() + FAULTS_MS
    const goesOn = () => performance.now() < endMs
    await Promise.all([
      moveSessions(goesOn, prng.fork()),
      moveSessions(goesOn, prng.fork()),
      cutConnections(clients, goesOn, faults, prng.fork()),
      hurtMembers(goesOn, faults, prng.fork()),
    ])
    await clients.goOn()
    const moves = await settledMoves()
    const violations = await clients.judged()
    report(clients, faults, moves, violations.length)
    expect(violations).toEqual([])
    expect(clients.bad).toEqual([])
    // A run in which nothing happened would prove nothing.
    expect(faults.kills).toBeGreaterThan(0)
    expect(faults.stopsMs.length).toBeGreaterThan(1)
    expect(moves.filter(({ outcome }) => outcome === 'returned').length).toBeGreaterThan(5)
  } catch (error) {
    throw new Error(`with EVENKEEL_SEED=${SEED}`, { cause: error })
  } finally {
    await clients.close()
  }
}, 200_000)

/** Each has come to an outcome. */
async function settledMoves(): Promise<readonly Move[]> {
  let moves: readonly Move[] = []
  const open = async () => {
    moves = (await group.call<{ items: Move[] }>('moves?limit=1000')).body.items
    return moves.filter(({ outcome }) => outcome === null)
  }
  await expect.poll(open, { interval: 100 }).toEqual([])
  return moves
}

function report(
  clients: Clients,
  { cuts, kills, stopsMs }: Faults,
  moves: readonly Move[],
  violations: number,
): void {
  const { good, operations, writes, unknown } = clients.figures()
  const outcomes = Map.groupBy(moves, ({ outcome }) => outcome)
  const told = [...outcomes].map(([outcome, { length }]) => `${outcome} ${length}`).join(', ')
  const stoppedMs = stopsMs.reduce((sum, ms) => sum + ms, 0)
  console.log(
    `histories: seed ${SEED} (EVENKEEL_SEED), copies ${COPIES}, ${clients.all.length} initiators, ${good} commands answered, ` +
      `${operations} block operations (${writes} writes acknowledged, ${unknown} of unknown outcome); ` +
      `${moves.length} moves (${told}), ${cuts} connections cut, ${kills} kills, ` +
      `${stopsMs.length} stops of ${(stoppedMs / 1000).toFixed(1)} s in all; ${violations} violations`,
  )
}
