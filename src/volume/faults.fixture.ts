// The data path under crashes, pauses, cuts and a coordinator that comes and goes, judged by what the sessions saw. Sessions
// change member while operations of the old generation are still on their way, with the rules of target/DESIGN.md: raised, or
// closed and fenced.
import type { RegisterRead, RegisterWrite } from '../../test/kit/register.ts'
import {
  type TestSession,
  VolumeGroup,
  type VolumeGroupOptions,
  type VolumeMember,
} from '../../test/kit/volume-group.ts'
import { sleep } from '../base/clock.ts'
import { type MemberId, sliceId } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import { RUN_BYTES } from '../base/sizes.ts'
import { parseSlice } from '../group/parse.ts'
import { keys } from '../group/record.ts'
import { changeSlices, usualMin, wanting } from '../group/slices.ts'
import { SessionCounters } from '../load/counters.ts'
import { sliceAt } from '../slice/lanes.ts'

const SECTOR = 512
/** Sectors around the boundary between two runs, so that commands cross blocks and slices. */
const SECTORS = 24
const BOUNDARIES = [1, 2, 3]

type History = (RegisterWrite | RegisterRead)[]

function sectorOffset(sector: number): number {
  const boundary = BOUNDARIES[Math.floor(sector / SECTORS)] ?? 0
  return boundary * RUN_BYTES + ((sector % SECTORS) - SECTORS / 2) * SECTOR
}

interface Login {
  readonly number: number
  readonly member: MemberId
  /** A session dies with the life of its member: another one numbers its operations from 1. */
  readonly life: VolumeMember | undefined
  readonly session: TestSession
  readonly over: Promise<'over'>
  readonly end: () => void
}

interface OpenWrite {
  readonly write: RegisterWrite
  readonly login: number
  readonly slice: number
}

export class Judge {
  readonly histories: History[] = Array.from({ length: SECTORS * BOUNDARIES.length }, () => [])
  value = 0
  answers = 0
  dead = 0
  /** Slices that were wanted otherwise, and changes of who has them. */
  relocations = 0
  stuck = ''
  world: VolumeGroup | null = null
}

/** One initiator: a session, some commands at a time, a new login whenever the last one is over. */
class Initiator {
  readonly #world: VolumeGroup
  readonly #judge: Judge
  readonly #prng: Prng
  readonly #counters = new SessionCounters()
  readonly #graves: { session: TestSession; member: MemberId }[] = []
  #open: OpenWrite[] = []
  #logins = 0
  #login: Login | null = null
  isStopping = false
  busy = 0

  constructor(world: VolumeGroup, judge: Judge, prng: Prng) {
    this.#world = world
    this.#judge = judge
    this.#prng = prng
  }

  async run(depth: number): Promise<void> {
    await this.#logIn()
    const workers = Array.from({ length: depth }, () => this.#work())
    await Promise.all([...workers, this.#relogin()])
  }

  #upMember(): MemberId | null {
    const up = this.#world.names.filter((name) => this.#world.isUp(name))
    return up.length === 0 ? null : this.#prng.pick(up)
  }

  /** A session returns under a higher generation, or its initiator makes a new one and the old is closed and fenced. */
  async #logIn(): Promise<void> {
    const world = this.#world
    const before = this.#login
    let member = this.#upMember()
    for (; member === null; member = this.#upMember()) await sleep(world.clock, 20)
    let session: TestSession
    if (before !== null && this.#prng.chance(0.5)) {
      session = before.session
      const old = world.members.get(before.member)
      if (this.#prng.chance(0.5)) old?.gateway.endSession(session.sessionId, session.gen)
      session = { ...session }
      await world.raise(session, member, 'live')
    } else {
      session = await world.login(member)
      if (before !== null) {
        const dead = { ...before.session }
        await world.raise(dead, before.member, 'dead')
        world.members.get(member)?.gateway.fence(dead.sessionId, dead.gen)
        this.#graves.push({ session: dead, member })
        this.#judge.dead += 1
      }
    }
    for (const grave of this.#graves) {
      // Fenced by every later barrier of the pair until it is retired.
      world.members.get(member)?.gateway.fence(grave.session.sessionId, grave.session.gen)
      grave.member = member
    }
    const { promise, resolve } = Promise.withResolvers<'over'>()
    this.#logins += 1
    this.#login = {
      number: this.#logins,
      member,
      life: world.members.get(member),
      session,
      over: promise,
      end: () => resolve('over'),
    }
  }

  async #relogin(): Promise<void> {
    const world = this.#world
    while (!this.isStopping) {
      await sleep(world.clock, this.#prng.integer(5, 400))
      const login = this.#login
      if (login === null) continue
      this.#bury()
      const lives = this.#lifeOf(login) !== null
      if (lives && !this.#prng.chance(0.25)) continue
      this.#login = null
      login.end()
      this.#login = login
      await this.#logIn()
    }
  }

  #lifeOf({ member, life }: Login): VolumeMember | null {
    return life !== undefined && life === this.#world.members.get(member) ? life : null
  }

  #bury(): void {
    for (const grave of [...this.#graves]) {
      const gateway = this.#world.members.get(grave.member)?.gateway
      const { sessionId, gen, rev } = grave.session
      if (gateway?.fenced(sessionId, gen, rev) !== true) continue
      this.#graves.splice(this.#graves.indexOf(grave), 1)
      void this.#world.retire(grave.session).then(() => gateway.unfence(sessionId))
    }
  }

  async #work(): Promise<void> {
    while (!this.isStopping) {
      this.busy += 1
      await this.#command()
      this.busy -= 1
      await sleep(
        this.#world.clock,
        this.#prng.chance(0.7) ? this.#prng.unit() * 5 : this.#prng.unit() * 60,
      )
    }
  }

  async #command(): Promise<void> {
    const login = this.#login
    if (login === null || this.#lifeOf(login) === null) return sleep(this.#world.clock, 5)
    const boundary = this.#prng.integer(0, BOUNDARIES.length - 1) * SECTORS
    const from = this.#prng.integer(0, SECTORS - 1)
    const count = this.#prng.chance(0.5) ? 1 : this.#prng.integer(1, SECTORS - from)
    const sectors = Array.from({ length: count }, (_, i) => boundary + from + i)
    if (this.#prng.chance(0.5)) await this.#read(login, sectors)
    else await this.#write(login, sectors)
  }

  async #read(login: Login, sectors: readonly number[]): Promise<void> {
    const { gateway } = this.#world.member(login.member)
    const { sessionId: session, gen } = login.session
    const into = new Uint8Array(sectors.length * SECTOR)
    const fromMs = this.#world.timeline.nowMs
    const offset = sectorOffset(sectors[0] ?? 0)
    const where = [{ session, gen }, this.#world.volume, offset] as const
    const now = gateway.readNow(...where, into, this.#counters)
    const read = now === 'later' ? gateway.read(...where, into, this.#counters) : now
    const outcome = await Promise.race([read, login.over])
    if (outcome !== 'done') return this.#unanswered(outcome, login)
    const toMs = this.#world.timeline.nowMs
    for (const [i, sector] of sectors.entries()) {
      const value = valueIn(into.subarray(i * SECTOR, (i + 1) * SECTOR))
      this.#judge.histories[sector]?.push({ kind: 'read', value, fromMs, toMs })
    }
    this.#answered(login, sectors)
  }

  async #write(login: Login, sectors: readonly number[]): Promise<void> {
    const { gateway } = this.#world.member(login.member)
    const { sessionId: session, gen } = login.session
    this.#judge.value += 1
    const value = this.#judge.value
    const fromMs = this.#world.timeline.nowMs
    const writes = sectors.map((sector) => {
      const write: RegisterWrite = {
        kind: 'write',
        value,
        fromMs,
        toMs: Number.POSITIVE_INFINITY,
        isAnswered: false,
      }
      this.#judge.histories[sector]?.push(write)
      const slice = sliceAt(this.#world.volume, sectorOffset(sector))
      this.#open.push({ write, login: login.number, slice })
      return write
    })
    const data = bytesOf(value, sectors.length)
    const offset = sectorOffset(sectors[0] ?? 0)
    const writing = gateway.write(
      { session, gen },
      this.#world.volume,
      offset,
      data,
      this.#counters,
    )
    const outcome = await Promise.race([writing, login.over])
    if (outcome !== 'done') return this.#unanswered(outcome, login)
    for (const write of writes) {
      const mutable = write as { isAnswered: boolean; toMs: number }
      mutable.isAnswered = true
      mutable.toMs = this.#world.timeline.nowMs
    }
    this.#answered(login, sectors)
  }

  #unanswered(outcome: string, login: Login): void {
    if (outcome === 'refused' && this.#login === login) login.end()
    else if (outcome !== 'over' && outcome !== 'refused') this.#judge.stuck = `came to ${outcome}`
  }

  /** What is answered on a later login ends what the earlier ones left open at the same slices. */
  #answered(login: Login, sectors: readonly number[]): void {
    this.#judge.answers += 1
    const slices = new Set(
      sectors.map((sector) => sliceAt(this.#world.volume, sectorOffset(sector))),
    )
    this.#open = this.#open.filter(({ write, login: number, slice }) => {
      if (write.toMs !== Number.POSITIVE_INFINITY) return false
      if (number >= login.number || !slices.has(sliceId(slice))) return true
      ;(write as { toMs: number }).toMs = this.#world.timeline.nowMs
      return false
    })
  }
}

function bytesOf(value: number, sectors: number): Uint8Array {
  const words = new Uint32Array((sectors * SECTOR) / 4).fill(value)
  return new Uint8Array(words.buffer)
}

/** -1: torn, which no write was. */
function valueIn(sector: Uint8Array): number {
  const words = new Uint32Array(sector.slice().buffer)
  const [first = 0] = words
  return words.every((word) => word === first) ? first : -1
}

/** How bad it gets. */
export interface Faults extends VolumeGroupOptions {
  readonly lastMs: number
  /** Pauses, cuts and outages. */
  readonly longestMs: number
  /** From the last fault on, until everybody is answered again. */
  readonly healMs: number
  /** Slices come to be wanted at other members, with more copies or fewer. */
  readonly relocates?: boolean
}

const MILD: Faults = { lastMs: 12_000, longestMs: 3_000, healMs: 4_000 }

async function nemesis(world: VolumeGroup, prng: Prng, faults: Faults): Promise<void> {
  const { lastMs, longestMs } = faults
  const endMs = world.timeline.nowMs + lastMs
  while (world.timeline.nowMs < endMs) {
    await sleep(world.clock, prng.integer(20, 700))
    const name = prng.pick(world.names)
    const kind = prng.unit()
    if (kind < 0.3) crash(world, name, prng)
    else if (kind < 0.5) pause(world, name, prng, longestMs)
    else if (kind < 0.85) cut(world, name, prng, longestMs)
    else if (kind < 0.95) {
      world.coordination.cut(name, prng.chance(0.5) ? 'drop' : 'hold')
      world.clock.after(prng.integer(20, longestMs), () => world.coordination.heal(name))
    } else slow(world, name, prng)
  }
  world.net.healAll()
}

/** One slice at a time, as an operator would have it. */
async function relocate(world: VolumeGroup, judge: Judge, prng: Prng, untilMs: number) {
  while (world.timeline.nowMs < untilMs) {
    await sleep(world.clock, prng.integer(200, 2_500))
    const { coordinator, names } = world
    const listed = await coordinator.list(keys.slices)
    if (listed.kind !== 'done') continue
    const { key, value, rev } = prng.pick(listed.items)
    const record = parseSlice(value)
    if (typeof record === 'string') throw new Error(record)
    const order = names.map((name) => ({ name, at: prng.unit() })).sort((a, b) => a.at - b.at)
    const want = order.slice(0, prng.integer(1, names.length)).map(({ name }) => name)
    const min = usualMin(want.length)
    if (record.inSync.length < min) continue
    const to = wanting(record, want, min)
    const [change] = changeSlices([{ slice: { id: keys.sliceOf(key), rev, record }, to }])
    if (change !== undefined && (await coordinator.txn(change)).kind === 'done')
      judge.relocations += 1
  }
}

/** Slices that are not where they are wanted, or that somebody has who is not to. */
export function unsettled(world: VolumeGroup): string[] {
  return world.coordination.inspect(keys.slices).flatMap(({ key, value }) => {
    const record = parseSlice(value)
    if (typeof record === 'string') return [record]
    const { want, inSync, primary } = record
    const isThere = want[0] === primary && [...want].sort().join() === [...inSync].sort().join()
    const left = world.names.filter(
      (name) =>
        !want.includes(name) && world.member(name).store.slicesHere().includes(keys.sliceOf(key)),
    )
    return isThere && left.length === 0 ? [] : [`${key} ${value} ${left.join()}`]
  })
}

function crash(world: VolumeGroup, name: MemberId, prng: Prng): void {
  if (!world.isUp(name)) return
  world.crash(name)
  world.clock.after(prng.integer(5, 1_200), () => void world.boot(name))
}

function pause(world: VolumeGroup, name: MemberId, prng: Prng, longestMs: number): void {
  const clock = world.members.get(name)?.clock
  clock?.pause()
  world.clock.after(prng.integer(20, longestMs), () => clock?.resume())
}

function cut(world: VolumeGroup, name: MemberId, prng: Prng, longestMs: number): void {
  const other = prng.pick(world.names.filter((one) => one !== name))
  const mode = prng.chance(0.5) ? 'drop' : 'stick'
  if (prng.chance(0.5)) world.net.cut(name, other, mode)
  else world.net.cutOneWay(name, other, mode)
  world.clock.after(prng.integer(20, longestMs), () => world.net.heal(name, other))
}

function slow(world: VolumeGroup, name: MemberId, prng: Prng): void {
  const store = world.members.get(name)?.store
  if (store === undefined) return
  store.delayMs = [1, prng.integer(10, 400)]
  world.clock.after(prng.integer(100, 1_000), () => {
    store.delayMs = [0.1, 3]
  })
}

export async function runFaults(seed: number, faults: Faults = MILD): Promise<Judge> {
  const world = await VolumeGroup.found(seed, faults)
  const judge = new Judge()
  const prng = new Prng(seed * 7 + 1)
  const initiators = Array.from({ length: 3 }, () => new Initiator(world, judge, prng.fork()))
  const running = initiators.map((one) => one.run(prng.integer(1, 4)))
  const breaking = nemesis(world, prng.fork(), faults)
  const endMs = world.timeline.nowMs + faults.lastMs
  if (faults.relocates === true)
    await world.finish(Promise.all([breaking, relocate(world, judge, prng.fork(), endMs)]))
  else await world.finish(breaking)
  await world.timeline.run(world.timeline.nowMs + faults.healMs)
  const before = judge.answers
  await world.timeline.run(world.timeline.nowMs + 2_000)
  if (judge.answers - before < 50)
    judge.stuck = `only ${judge.answers - before} answers after the faults`
  for (const one of initiators) one.isStopping = true
  await world.finish(Promise.all(running))
  judge.world = world
  if ((faults.copies ?? 1) > 1) return judge
  for (const [name, { applied }] of world.durable) {
    for (const [operation, times] of applied) {
      if (times > 1) judge.stuck = `${operation} was carried out ${times} times at ${name}`
    }
  }
  return judge
}
