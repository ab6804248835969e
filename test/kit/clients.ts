// Initiators that write and read blocks of one volume, keep a history each, and count by the member that the blocks live
// on: so a test sees who went on and who waited, and the histories are judged block by block.
import { expect } from 'vitest'
import { judge } from '../../sim/checkers/linearizability.ts'
import type { VolumeDetail } from '../../src/api/schema.ts'
import { sleep } from '../../src/base/clock.ts'
import type { Net } from '../../src/base/net.ts'
import type { Prng } from '../../src/base/prng.ts'
import { BLOCK_BYTES, RUN_BYTES } from '../../src/base/sizes.ts'
import { History } from '../../src/initiator/history.ts'
import type { Initiator } from '../../src/initiator/initiator.ts'
import type { Behaviour } from '../../src/initiator/settings.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { SystemNet } from '../../src/io/net.ts'
import { connectTo } from './connect.ts'
import type { TestGroup } from './group.ts'
import { primaryAt } from './primary-at.ts'

/** A limit for what hangs: a member is started again after 0.25 s. */
export const SERVED_AGAIN_MS = 30_000
/** They try again soon, so that nobody waits for them when their member is back; one that is stopped costs them a login. */
const EAGER = { retryMostMs: 250, loginLimitMs: 5_000 }
/** Between two commands of a worker: else its initiators take the time in which members should come back. */
const REST_MS = 2

export interface Client {
  /** Its portal; a move takes the session elsewhere. */
  readonly member: string
  readonly initiator: Initiator
  readonly history: History
  /** Commands answered with GOOD, by the member that the blocks live on. */
  readonly good: Map<string, number>
  /** Answers with anything else. */
  readonly bad: string[]
}

export interface ClientSettings {
  readonly member: string
  /** Another for each client. */
  readonly writer: number
  /** As Linux, or as libiscsi. */
  readonly isid: 'stable' | 'random'
  /** `client-WRITER` unless given: several clients of one name are paths of one host. */
  readonly name?: string
  readonly net?: Net
  readonly behaviour?: Partial<Behaviour>
}

export interface Snapshot {
  readonly client: Client
  readonly home: string
  readonly good: number
}

const clock = new SystemClock()
const systemNet = new SystemNet()
const goodOf = ({ good }: Client, home: string) => good.get(home) ?? 0

export class Clients {
  readonly group: TestGroup
  readonly volume: VolumeDetail
  readonly all: Client[] = []
  /** The blocks in use that live on each member. */
  readonly blocks: ReadonlyMap<string, readonly number[]>
  readonly #prng: Prng
  #working = true
  #workersEach = 0
  #done: Promise<unknown> = Promise.resolve()

  /** Uses so many blocks of each run of the volume, whose blocks have 4 KiB. */
  constructor(group: TestGroup, volume: VolumeDetail, prng: Prng, blocksARun: number) {
    this.group = group
    this.volume = volume
    this.#prng = prng
    this.blocks = blocksByMember(group, volume, blocksARun)
  }

  async connect(settings: ClientSettings): Promise<Client> {
    const { member, writer, isid, name = `client-${writer}`, net = systemNet, behaviour } = settings
    const stable = `00023d${String(writer).padStart(6, '0')}`
    const initiator = await connectTo(this.group, this.volume, {
      ...{ net, clock, prng: this.#prng.fork(), name, member },
      ...(isid === 'stable' ? { isid: stable } : {}),
      behaviour: { ...EAGER, ...behaviour },
    })
    const history = new History({ nowMs: () => clock.nowMs(), writer, blockBytes: BLOCK_BYTES })
    const client = { member, initiator, history, good: new Map(), bad: [] }
    this.all.push(client)
    return client
  }

  /** For every client and every member so many workers that only touch blocks living there. */
  begin(workersEach: number): void {
    this.#workersEach = workersEach
    const workers = this.all.flatMap((client) =>
      [...this.blocks].flatMap(([home, there]) =>
        Array.from({ length: workersEach }, () =>
          this.#work(client, home, there, this.#prng.fork()),
        ),
      ),
    )
    this.#done = Promise.all(workers)
    // An initiator that ended is told where it is waited for; nobody waits for it before.
    this.#done.catch(() => {})
  }

  async #work(client: Client, home: string, blocks: readonly number[], random: Prng) {
    const { initiator, history, good, bad } = client
    const bytes = new Uint8Array(BLOCK_BYTES)
    while (this.#working && !history.isFull) {
      const lba = random.pick(blocks)
      const answer = random.chance(0.7)
        ? await initiator.write(lba, bytes, history.writing(lba, bytes))
        : await initiator.read(lba, 1, bytes, history.reading(lba, bytes))
      if (answer.kind === 'answered' && answer.status === 0)
        good.set(home, goodOf(client, home) + 1)
      else bad.push(`block ${lba} at ${home} by ${client.member}: ${JSON.stringify(answer)}`)
      await sleep(clock, REST_MS)
    }
  }

  snapshots(): readonly Snapshot[] {
    return this.all.flatMap((client) =>
      this.group.members.map((home) => ({ client, home, good: goodOf(client, home) })),
    )
  }

  /** Those in which no more was answered since than was under way then. */
  stuck(before: readonly Snapshot[]): readonly string[] {
    return before
      .filter(({ client, home, good }) => goodOf(client, home) <= good + this.#workersEach)
      .map(({ client, home }) => `${client.member} → ${home}`)
  }

  /** Settles when everybody has been answered by everybody again. */
  async goOn(): Promise<void> {
    const before = this.snapshots()
    const left = () => this.stuck(before)
    await expect.poll(left, { timeout: SERVED_AGAIN_MS, interval: 20 }).toEqual([])
  }

  /** The workers end; then a new initiator reads every block, and all that was seen is judged. */
  async judged(): Promise<readonly string[]> {
    this.#working = false
    await this.#done
    const reader = await this.connect({
      ...{ member: this.group.members[0] ?? '', writer: 99, name: 'reader', isid: 'random' },
    })
    const bytes = new Uint8Array(BLOCK_BYTES)
    for (const lba of [...this.blocks.values()].flat()) {
      const answer = await reader.initiator.read(lba, 1, bytes, reader.history.reading(lba, bytes))
      expect(answer).toMatchObject({ kind: 'answered', status: 0 })
    }
    expect(this.all.map(({ initiator }) => initiator.travels.breach)).toEqual(
      this.all.map(() => null),
    )
    return judge(this.all.map(({ history }) => history)).map((violation) =>
      JSON.stringify(violation),
    )
  }

  get bad(): readonly string[] {
    return this.all.flatMap(({ bad }) => bad)
  }

  /** Of all histories: commands answered with GOOD, and operations on blocks. */
  figures() {
    const operations = this.all.flatMap(({ history }) => history.operations)
    const certain = operations.filter((one) => one.certain)
    return {
      good: this.snapshots().reduce((sum, { good }) => sum + good, 0),
      operations: operations.length,
      writes: certain.filter(({ kind }) => kind === 'write').length,
      unknown: operations.length - certain.length,
    }
  }

  async close(): Promise<void> {
    this.#working = false
    await Promise.all(this.all.map(({ initiator }) => initiator.close()))
  }
}

function blocksByMember(
  { members }: TestGroup,
  volume: VolumeDetail,
  blocksARun: number,
): ReadonlyMap<string, readonly number[]> {
  const blocks = new Map<string, number[]>(members.map((member) => [member, []]))
  for (let run = 0; run < volume.bytes / RUN_BYTES; run += 1) {
    const primary = primaryAt(volume, run * RUN_BYTES)
    const first = (run * RUN_BYTES) / BLOCK_BYTES
    for (let i = 0; i < blocksARun; i += 1) blocks.get(primary)?.push(first + i * 33)
  }
  return blocks
}
