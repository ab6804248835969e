// The load generator of the benches: one session of one initiator, so and so many commands under way, the next one sent as
// soon as one is answered; several of them are sampled together. The session's half of src/initiator without what follows a
// lost connection, and with commands that are used again: it costs about 2 µs a command, so that a target and not the
// generator sets the pace.
//
// Every block carries its own number at its beginning: whoever reads checks it, so that no target wins by returning rubbish.
import { strict as assert } from 'node:assert'
import { BufferPool } from '../src/base/buffer-pool.ts'
import { readU32, writeU32 } from '../src/base/bytes.ts'
import type { Clock } from '../src/base/clock.ts'
import { Prng } from '../src/base/prng.ts'
import { ActiveSession, type SessionOwner } from '../src/initiator/active-session.ts'
import { readCdb, scsiStatus, testUnitReadyCdb, writeCdb } from '../src/initiator/cdb.ts'
import { Dial, type DialOutcome } from '../src/initiator/dial.ts'
import { type Answer, PendingCommand } from '../src/initiator/pending-command.ts'
import { ordinaryBehaviour, randomIsid } from '../src/initiator/settings.ts'
import { SystemClock } from '../src/io/clock.ts'
import { SystemNet } from '../src/io/net.ts'
import { initiatorSettings } from '../src/iscsi/negotiate.ts'

const SECTOR_BYTES = 512
const BLOCK_BYTES = 4096
/** READ(10) and WRITE(10) both have it there. */
const LBA_AT = 2
const LATENCIES_MAX = 4_000_000
const POOL_BYTES = 64 * 1024 * 1024
const LOGIN_MS = 10_000

/** What is asked of a target. */
export interface Work {
  /** How many of a hundred commands are reads. */
  readonly reads: number
  readonly order: 'random' | 'sequential'
  readonly bytes: number
  readonly depth: number
}

/** Where on the logical unit: runs of this many bytes from these offsets on. */
export interface Region {
  readonly offsets: readonly number[]
  readonly RUN_BYTES: number
}

export interface Where {
  /** On 127.0.0.1. */
  readonly port: number
  readonly iqn: string
  readonly lun: number
  /** Of the initiator; sessions of one name are asked for each other's sake when one of them logs in. */
  readonly initiator?: string
}

let connected = 0

export interface Sample {
  readonly seconds: number
  readonly commands: number
  readonly p50Us: number
  readonly p99Us: number
  /** User and system time of this process. */
  readonly generatorUs: number
}

/** Who is asked what, and where. */
export interface Asking {
  readonly load: Load
  readonly work: Work
  readonly region: Region
}

interface Run {
  readonly work: Work
  readonly region: Region
  readonly latencies: Latencies
  readonly finished: () => void
  readonly failed: (error: Error) => void
  /** Commands to begin; without end while a sample is taken. */
  left: number
  underWay: number
  position: number
}

/** How long commands took, of all sessions that are sampled together. */
export class Latencies {
  readonly #ms = new Float64Array(LATENCIES_MAX)
  commands = 0

  note(ms: number): void {
    if (this.commands < LATENCIES_MAX) this.#ms[this.commands] = ms
    this.commands += 1
  }

  /** In µs, the quantiles of those noted. */
  quantiles(...wanted: readonly number[]): number[] {
    const sorted = this.#ms.slice(0, this.commands).sort()
    return wanted.map((q) => (sorted[Math.floor(q * (sorted.length - 1))] ?? 0) * 1000)
  }
}

const latencies = new Latencies()
const unread = new Latencies()

/**
 * Keeps targets at work for `ms` after `warmMs`; `began` is called between the two. What is asked of `beside` goes on
 * meanwhile, and is not in the figures.
 */
export async function sample(
  asked: readonly Asking[],
  times: { readonly warmMs: number; readonly ms: number; readonly began: () => void },
  beside: readonly Asking[] = [],
): Promise<Sample> {
  const begin = (into: Latencies) => (one: Asking) => one.load.begin(one.work, one.region, into)
  const done = Promise.all([...asked.map(begin(latencies)), ...beside.map(begin(unread))])
  await Promise.race([done, delay(times.warmMs)])
  times.began()
  latencies.commands = 0
  const cpu = process.cpuUsage()
  const fromMs = performance.now()
  await Promise.race([done, delay(times.ms)])
  const seconds = (performance.now() - fromMs) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const { commands } = latencies
  assert(commands > 0 && commands <= LATENCIES_MAX, `${commands} commands in a sample`)
  const [p50Us = 0, p99Us = 0] = latencies.quantiles(0.5, 0.99)
  for (const { load } of [...asked, ...beside]) load.finish()
  await done
  return { seconds, commands, p50Us, p99Us, generatorUs: (user + system) / commands }
}

export class Load implements SessionOwner {
  readonly #clock: Clock
  readonly #lun: number
  readonly #prng: Prng
  #session: ActiveSession | null = null
  #idleReads: PendingCommand[] = []
  #idleWrites: PendingCommand[] = []
  #run: Run | null = null

  static async connect(where: Where): Promise<Load> {
    const clock = new SystemClock()
    connected += 1
    const prng = new Prng(connected)
    const load = new Load(clock, where.lun, prng)
    const dialled = Promise.withResolvers<void>()
    const login = {
      initiatorName: `iqn.2026-11.dev.evenkeel.bench:${where.initiator ?? 'load'}`,
      targetName: where.iqn,
      isid: randomIsid(prng),
      cmdSn: 1,
      cid: 0,
      securityStage: ordinaryBehaviour.securityStage,
      keys: initiatorSettings,
    }
    const settled = (outcome: DialOutcome) => {
      if (outcome.kind === 'failed') return dialled.reject(new Error(outcome.reason))
      load.#session = new ActiveSession(outcome.wire, outcome.session, load, () => clock.nowMs())
      dialled.resolve()
    }
    const portal = { kind: 'tcp', host: '127.0.0.1', port: where.port } as const
    const buffers = new BufferPool(POOL_BYTES)
    new Dial({ net: new SystemNet(), clock, buffers, portal, login, limitMs: LOGIN_MS }, settled)
    await dialled.promise
    await load.#unitReady()
    return load
  }

  private constructor(clock: Clock, lun: number, prng: Prng) {
    this.#prng = prng
    this.#clock = clock
    this.#lun = lun
  }

  /** Writes the whole region once. */
  async fill(region: Region): Promise<void> {
    await this.once({ reads: 0, order: 'sequential', bytes: 256 * 1024, depth: 8 }, region)
  }

  /** As many commands as the region has places. */
  once(work: Work, region: Region): Promise<void> {
    const places = (region.offsets.length * region.RUN_BYTES) / work.bytes
    return this.#work(work, region, unread, places)
  }

  /** Asks until `finish`; settles when the last is answered. */
  begin(work: Work, region: Region, into: Latencies): Promise<void> {
    return this.#work(work, region, into, Number.POSITIVE_INFINITY)
  }

  finish(): void {
    if (this.#run !== null) this.#run.left = 0
  }

  close(): void {
    this.#session?.wire.destroy('over')
  }

  #work(work: Work, region: Region, into: Latencies, left: number): Promise<void> {
    assert(this.#run === null, 'one work at a time')
    const commands = (wanted: boolean, direction: 'read' | 'write') =>
      Array.from({ length: wanted ? work.depth : 0 }, (_, i) => this.#command(work, direction, i))
    this.#idleReads = commands(work.reads > 0, 'read')
    this.#idleWrites = commands(work.reads < 100, 'write')
    return new Promise((resolve, reject) => {
      const finished = () => {
        this.#run = null
        resolve()
      }
      const failed = (error: Error) => {
        this.#run = null
        reject(error)
      }
      const run = { work, region, latencies: into, finished, failed, left }
      this.#run = { ...run, underWay: 0, position: 0 }
      this.#pump()
    })
  }

  #command({ bytes }: Work, direction: 'read' | 'write', number: number): PendingCommand {
    const blocks = bytes / SECTOR_BYTES
    const data = new Uint8Array(bytes)
    for (let i = 0; i < bytes; i += 1) data[i] = i * 31 + number
    const cdb = direction === 'read' ? readCdb(0, blocks) : writeCdb(0, blocks)
    return new PendingCommand({ cdb, lun: this.#lun, [direction]: data }, number)
  }

  #pump(): void {
    const run = this.#run
    const session = this.#session
    if (run === null || session === null) return
    while (run.left > 0 && run.underWay < run.work.depth && session.hasRoom) {
      const command = this.#idleFor(run.work).pop()
      if (command === undefined) return
      run.left -= 1
      run.underWay += 1
      const offset = this.#next(run)
      writeU32(command.request.cdb, LBA_AT, offset / SECTOR_BYTES)
      const { write } = command.request
      if (write !== undefined) stamp(write, offset)
      command.receivedBytes = 0
      command.dataSn = 0
      command.sentAtMs = this.#clock.nowMs()
      session.send(command)
    }
    if (run.underWay === 0) run.finished()
  }

  #idleFor({ reads }: Work): PendingCommand[] {
    const isRead = reads === 100 || (reads > 0 && this.#prng.unit() * 100 < reads)
    return isRead ? this.#idleReads : this.#idleWrites
  }

  #next({ work, region, position }: Run): number {
    const { offsets, RUN_BYTES } = region
    const places = (offsets.length * RUN_BYTES) / work.bytes
    const place =
      work.order === 'random' ? Math.floor(this.#prng.unit() * places) : position % places
    if (this.#run !== null) this.#run.position += 1
    const at = place * work.bytes
    return (offsets[Math.floor(at / RUN_BYTES)] ?? 0) + (at % RUN_BYTES)
  }

  answered(command: PendingCommand, answer: Answer): void {
    const run = this.#run
    if (run === null) {
      command.settle(answer)
      return
    }
    const { read, cdb } = command.request
    if (answer.kind !== 'answered' || answer.status !== scsiStatus.good) {
      run.failed(new Error(`a command was answered with ${JSON.stringify(answer)}`))
      return
    }
    if (read !== undefined && !isStamped(read, readU32(cdb, LBA_AT) * SECTOR_BYTES)) {
      run.failed(new Error('a read returned something else than was written'))
      return
    }
    run.latencies.note(this.#clock.nowMs() - command.sentAtMs)
    run.underWay -= 1
    const idle = read === undefined ? this.#idleWrites : this.#idleReads
    idle.push(command)
  }

  roomFor(): void {
    this.#pump()
  }

  asked(): void {
    this.over('the target asked the session to leave')
  }

  loggedOut(): void {}

  over(reason: string): void {
    this.#run?.failed(new Error(reason))
  }

  /** A new session is told of what it missed (UNIT ATTENTION) until it has heard all of it. */
  async #unitReady(): Promise<void> {
    for (let i = 0; i < 8; i += 1) {
      const command = new PendingCommand({ cdb: testUnitReadyCdb(), lun: this.#lun }, 0)
      this.#session?.send(command)
      const answer = await command.answer
      if (answer.kind === 'answered' && answer.status === scsiStatus.good) return
    }
    throw new Error('the logical unit does not become ready')
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function stamp(data: Uint8Array, offset: number): void {
  for (let at = 0; at < data.length; at += BLOCK_BYTES) {
    writeU32(data, at, (offset + at) / BLOCK_BYTES)
  }
}

function isStamped(data: Uint8Array, offset: number): boolean {
  for (let at = 0; at < data.length; at += BLOCK_BYTES) {
    if (readU32(data, at) !== (offset + at) / BLOCK_BYTES) return false
  }
  return true
}
