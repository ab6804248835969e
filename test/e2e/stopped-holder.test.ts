// A process is stopped while it holds the write lock of the coordinator's file: every member goes on serving what needs no
// record, a session whose move was about to be committed waits, and all of it goes on when the lock is let go.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Move } from '../../src/api/schema.ts'
import { Prng } from '../../src/base/prng.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import type { SessionRecord } from '../../src/group/record.ts'
import { type Client, Clients } from '../kit/clients.ts'
import { quantile, TestGroup } from '../kit/group.ts'
import { coordinationFile, Records } from '../kit/records.ts'

const VOLUME_BYTES = 192 * 2 ** 20
const BLOCKS_A_RUN = 8
const WORKERS = 2
const WATCH_MS = 5_000
const SAMPLE_MS = 250
/** A NOP-Out goes unanswered for as long before its initiator gives the connection up: less than the lock is held. */
const IMPATIENT = { pingIdleMs: 300, pingLimitMs: 1_200 }
const MOVED = 'iqn.2026-11.test.evenkeel:moved'
const program = fileURLToPath(new URL('../conformance/coordinator-child.ts', import.meta.url))

let group: TestGroup
let records: Records
let holder: Holder

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1')
  records = await Records.open(group)
  holder = await Holder.start(coordinationFile(group))
})
afterAll(async () => {
  await holder.end()
  await records.close()
  await group.stop()
})

/** A process that takes and lets go of the write lock when it is told to. */
class Holder {
  readonly #child: ChildProcess
  readonly #lines: Interface

  static async start(file: string): Promise<Holder> {
    const args = [program, 'take', file]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })
    await once(lines, 'line')
    return new Holder(child, lines)
  }

  private constructor(child: ChildProcess, lines: Interface) {
    this.#child = child
    this.#lines = lines
  }

  /** Takes the lock, or lets it go; settles when that is done. */
  async turn(): Promise<void> {
    const said = once(this.#lines, 'line')
    this.#child.stdin?.write('\n')
    await said
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async end(): Promise<void> {
    const closed = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await closed
  }
}

/** What the members measure of their own event loops for a while, in ms. */
async function loopDelays(): Promise<readonly number[]> {
  const delays: number[] = []
  const endMs = performance.now() + WATCH_MS
  while (performance.now() < endMs) {
    for (const member of group.members) {
      const text = await (await fetch(`${group.apiOf(member)}/metrics`)).text()
      const seconds = /^evenkeel_event_loop_delay_seconds\{[^}]*\} (\S+)$/m.exec(text)?.[1]
      delays.push(Number(seconds) * 1_000)
    }
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))
  }
  return delays
}

const told = (delays: readonly number[]) =>
  [0.5, 1].map((q) => quantile(delays, q).toFixed(1)).join(' / ')

/** Orders moves of the session until the lock is taken when one of them is about to be committed; tells which. */
async function lockInCommit({ volume }: Clients, initiatorName: string): Promise<string> {
  for (let tries = 0; tries < 20; tries += 1) {
    const mine = async () => {
      const sessions = (await group.sessions()).filter((one) => one.volume === volume.name)
      return sessions.find(
        ({ initiator, state }) => initiator === initiatorName && state === 'live',
      )
    }
    await expect.poll(mine, { interval: 20 }).toBeDefined()
    const session = await mine()
    if (session === undefined) continue
    const isIntended = ({ isid, move }: SessionRecord) =>
      isid === session.isid && move?.open === false
    let locked: Promise<void> = Promise.resolve()
    const intended = records.when(isIntended, () => {
      locked = holder.turn()
    })
    const to = session.member === 'm1' ? 'm2' : 'm1'
    group.call(`sessions/${session.id}/move`, { to, wait: false }, 'm3').catch(() => {})
    await intended
    await locked
    // Reading needs no lock: nobody can change it now.
    const items = await records.sessions()
    const found = items
      .map(({ value }) => JSON.parse(value) as SessionRecord)
      .find((record) => isIntended(record))
    if (found?.move !== undefined) return found.move.id
    await holder.turn()
  }
  throw new Error('every move was quicker than the lock')
}

const goodOf = ({ good }: Client) => [...good.values()].reduce((sum, count) => sum + count, 0)

test('a stopped holder of the write lock stops nobody but who is in a commit, and nobody’s event loop', async () => {
  const volume = await group.createVolume('holder', VOLUME_BYTES, BLOCK_BYTES)
  const clients = new Clients(group, volume, new Prng(1), BLOCKS_A_RUN)
  try {
    for (const [i, member] of group.members.entries()) {
      await clients.connect({ member, writer: i + 1, isid: 'stable', behaviour: IMPATIENT })
    }
    const moved = await clients.connect({
      ...{ member: 'm1', writer: 4, isid: 'stable', name: 'moved', behaviour: IMPATIENT },
    })
    clients.begin(WORKERS)
    await clients.goOn()
    const undisturbed = await loopDelays()

    const id = await lockInCommit(clients, MOVED)
    holder.signal('SIGSTOP')
    const silence = { answers: -1 }
    const isSilent = () => {
      const before = silence.answers
      silence.answers = moved.initiator.travels.answers
      return silence.answers === before
    }
    await expect.poll(isSilent, { interval: 200 }).toBe(true)
    const others = clients.snapshots().filter(({ client }) => client !== moved)
    const reconnects = moved.initiator.travels.reconnects
    const begun = clients.all.map(goodOf)
    const disturbed = await loopDelays()
    const done = clients.all.map((client, i) => goodOf(client) - (begun[i] ?? 0))
    expect(clients.stuck(others)).toEqual([])
    // Its commands are held, and it has been answered a NOP-Out several times: else it would have left.
    expect(moved.initiator.travels).toMatchObject({ answers: silence.answers, reconnects })
    expect(moved.initiator.phase).toBe('serving')

    holder.signal('SIGCONT')
    await holder.turn()
    const outcome = async () => {
      const { body } = await group.call<{ items: Move[] }>('moves?limit=1000')
      return body.items.find((move) => move.id === id)?.outcome ?? 'none'
    }
    await expect.poll(outcome, { interval: 50 }).not.toBe('none')
    await clients.goOn()
    const ended = await outcome()
    const session = (await group.sessions()).find(({ initiator }) => initiator === MOVED)
    const again = await group.move(session?.id ?? '', session?.member === 'm1' ? 'm2' : 'm1')
    expect(again).toMatchObject({ outcome: 'returned' })
    const violations = await clients.judged()
    console.log(
      `a stopped holder of the write lock: event-loop delay of the members, p50 / max of what each second shows: ` +
        `${told(disturbed)} ms, undisturbed ${told(undisturbed)} ms; meanwhile answered by session ` +
        `${done.join(', ')} (the last is in the commit); its move: ${ended}, and again: ${again.outcome}; ${violations.length} violations`,
    )
    // Whether the commit would take effect was unknown for longer than it is waited for, so it was taken back.
    expect(['returned', 'abandoned']).toContain(ended)
    expect(violations).toEqual([])
    expect(clients.bad).toEqual([])
    expect(clients.all.slice(0, 4).map(({ initiator }) => initiator.travels.reconnects)).toEqual([
      0, 0, 0, 0,
    ])
  } finally {
    await clients.close()
  }
}, 120_000)
