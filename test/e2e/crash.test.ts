// Members are killed with SIGKILL at random moments while three initiators write and verify: what was acknowledged is
// there afterwards, sessions elsewhere go on with the pages that live elsewhere, and wait, not fail, for those that do not.
// This keeps the page cache; sim/power-cuts.ts is about what a disk loses.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { judge } from '../../sim/checkers/linearizability.ts'
import type { Member, VolumeDetail } from '../../src/api/schema.ts'
import { Prng } from '../../src/base/prng.ts'
import { History } from '../../src/initiator/history.ts'
import { Initiator } from '../../src/initiator/initiator.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { SystemNet } from '../../src/io/net.ts'
import { quantile, TestGroup } from '../kit/group.ts'

const { EVENKEEL_CRASHES = '21', EVENKEEL_SEED = String(Date.now() & 0x7fffffff) } = process.env
const CRASHES = Number(EVENKEEL_CRASHES)
const SEED = Number(EVENKEEL_SEED)
const MIB = 2 ** 20
const BLOCK_BYTES = 4096
const RUN_BYTES = 16 * MIB
const VOLUME_BYTES = 24 * RUN_BYTES
/** Blocks of each run that are used, by everybody. */
const BLOCKS_A_RUN = 16
const WORKERS = 2
/** A member that ends again and again is started again after up to 10 s. */
const WAIT_MS = 30_000

const clock = new SystemClock()
const net = new SystemNet()
const prng = new Prng(SEED)
let group: TestGroup

beforeAll(async () => {
  group = await TestGroup.start()
})
afterAll(async () => {
  await group.stop()
})

/** An initiator at one member, and for each member workers that only touch blocks living there. */
interface Client {
  readonly member: string
  readonly initiator: Initiator
  readonly history: History
  /** Commands answered with GOOD, by the member that the blocks live on. */
  readonly good: Map<string, number>
  /** Answers with anything else. */
  readonly bad: string[]
}

async function connect(volume: VolumeDetail, member: string, writer: number): Promise<Client> {
  const initiator = await Initiator.connect({
    ...{ net, clock, prng: prng.fork() },
    portal: { kind: 'tcp', host: '127.0.0.1', port: group.portOf(member) },
    targetName: volume.iqn,
    initiatorName: `iqn.2026-11.test.evenkeel:crash-${writer}`,
    // One as Linux, the others as libiscsi.
    isid: writer === 1 ? { kind: 'stable', value: '00023d000001' } : { kind: 'random' },
  })
  initiator.blockBytes = BLOCK_BYTES
  const history = new History({ nowMs: () => clock.nowMs(), writer, blockBytes: BLOCK_BYTES })
  return { member, initiator, history, good: new Map(), bad: [] }
}

/** The blocks in use that live on each member. */
function blocksByMember(volume: VolumeDetail): Map<string, number[]> {
  const blocks = new Map<string, number[]>(group.members.map((member) => [member, []]))
  for (let run = 0; run < VOLUME_BYTES / RUN_BYTES; run += 1) {
    const primary = volume.lanes[run % volume.lanes.length]?.primary ?? ''
    const first = (run * RUN_BYTES) / BLOCK_BYTES
    for (let i = 0; i < BLOCKS_A_RUN; i += 1) blocks.get(primary)?.push(first + i * 33)
  }
  return blocks
}

async function work(client: Client, home: string, blocks: readonly number[], random: Prng) {
  const { initiator, history, good, bad } = client
  const bytes = new Uint8Array(BLOCK_BYTES)
  while (working && !history.isFull) {
    const lba = random.pick(blocks)
    const answer = random.chance(0.7)
      ? await initiator.write(lba, bytes, history.writing(lba, bytes))
      : await initiator.read(lba, 1, bytes, history.reading(lba, bytes))
    if (answer.kind === 'answered' && answer.status === 0) good.set(home, goodOf(client, home) + 1)
    else bad.push(`block ${lba} at ${home} by ${client.member}: ${JSON.stringify(answer)}`)
  }
}

let working = true
const goodOf = ({ good }: Client, home: string) => good.get(home) ?? 0

interface Snapshot {
  readonly client: Client
  readonly home: string
  readonly good: number
}

function snapshots(clients: readonly Client[]): Snapshot[] {
  return clients.flatMap((client) =>
    group.members.map((home) => ({ client, home, good: goodOf(client, home) })),
  )
}

/** Those in which no more was answered since than was under way then. */
const stuck = (before: readonly Snapshot[]) =>
  before
    .filter(({ client, home, good }) => goodOf(client, home) <= good + WORKERS)
    .map(({ client, home }) => `${client.member} → ${home}`)

async function memberAt(asked: string, victim: string): Promise<Member | undefined> {
  return (await group.status(asked)).members.find(({ id }) => id === victim)
}

/** Kills a member, and waits until everybody is answered by everybody again; how long some were not. */
async function crash(victim: string, clients: readonly Client[]): Promise<number> {
  const witness = group.members.find((member) => member !== victim) ?? ''
  const pid = (await memberAt(witness, victim))?.pid ?? null
  if (pid === null) throw new Error(`${victim} is down before it was killed`)
  await new Promise((resolve) => setTimeout(resolve, prng.integer(0, 400)))
  const before = snapshots(clients)
  const atMs = performance.now()
  process.kill(pid, 'SIGKILL')
  const restarted = async () => {
    const member = await memberAt(witness, victim)
    return member?.state === 'up' && member.pid !== null && member.pid !== pid
  }
  await expect.poll(restarted, { timeout: WAIT_MS, interval: 20 }).toBe(true)
  const elsewhere = before.filter(({ client, home }) => client.member !== victim && home !== victim)
  expect(stuck(elsewhere), `went on while ${victim} was down`).toEqual([])
  const after = snapshots(clients)
  await expect.poll(() => stuck(after), { timeout: WAIT_MS, interval: 20 }).toEqual([])
  return performance.now() - atMs
}

test('whatever is acknowledged survives the crash of any member at any time', async () => {
  const volume = await group.createVolume('crash', VOLUME_BYTES, BLOCK_BYTES)
  const blocks = blocksByMember(volume)
  const clients: Client[] = []
  const outagesMs: number[] = []
  try {
    for (const [i, member] of group.members.entries()) {
      clients.push(await connect(volume, member, i + 1))
    }
    const workers = clients.flatMap((client) =>
      [...blocks].flatMap(([home, there]) =>
        Array.from({ length: WORKERS }, () => work(client, home, there, prng.fork())),
      ),
    )
    const done = Promise.all(workers)
    // An initiator that ended is told where it is waited for; nobody waits for it before.
    done.catch(() => {})
    for (let i = 0; i < CRASHES; i += 1) {
      const victim = group.members[(i + (SEED % 3)) % 3] ?? ''
      outagesMs.push(await crash(victim, clients))
    }
    working = false
    await done
    await readAll(volume, [...blocks.values()].flat(), clients)
    report(clients, outagesMs)
    expect(clients.flatMap(({ bad }) => bad)).toEqual([])
  } catch (error) {
    throw new Error(`with EVENKEEL_SEED=${SEED}, crash ${outagesMs.length + 1}`, { cause: error })
  } finally {
    working = false
    await Promise.all(clients.map(({ initiator }) => initiator.close()))
  }
}, 400_000)

function report(clients: readonly Client[], outagesMs: readonly number[]): void {
  const good = snapshots(clients).reduce((sum, snapshot) => sum + snapshot.good, 0)
  const certain = clients.flatMap(({ history }) => history.operations.filter((one) => one.certain))
  const writes = certain.filter(({ kind }) => kind === 'write').length
  const unknown = clients.flatMap(({ history }) => history.operations).length - certain.length
  const [p50, max] = [0.5, 1].map((q) => quantile(outagesMs, q).toFixed(0))
  console.log(
    `crashes: ${outagesMs.length}, seed ${SEED} (EVENKEEL_SEED), ${good} commands answered, ` +
      `${writes} block writes acknowledged, ${unknown} of unknown outcome; ` +
      `until all was served again p50/max ${p50} / ${max} ms`,
  )
}

/** A new initiator reads every block, and all that was seen is judged. */
async function readAll(
  volume: VolumeDetail,
  blocks: readonly number[],
  clients: readonly Client[],
): Promise<void> {
  const reader = await connect(volume, 'm1', 9)
  const bytes = new Uint8Array(BLOCK_BYTES)
  for (const lba of blocks) {
    const answer = await reader.initiator.read(lba, 1, bytes, reader.history.reading(lba, bytes))
    expect(answer).toMatchObject({ kind: 'answered', status: 0 })
  }
  await reader.initiator.close()
  const violations = judge([...clients, reader].map(({ history }) => history))
  expect(violations).toEqual([])
}
