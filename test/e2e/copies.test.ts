// A group with two copies of everything, whose members fail one at a time while initiators on the other members go on: nobody is
// told an error, what all of them saw is linearizable, other members take the slices over while theirs is silent, all copies are in
// sync again afterwards, also if the folder of the member is empty by then, an older copy, or lacks a segment, and each member is the
// primary again of as many slices as before. Of a process that is dead `up` tells the others, and one that is told to stop gives its
// slices away first: they wait for neither. How long the initiators stood still is told, and not judged.
import { cp, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Layout } from '../../src/api/layout-schema.ts'
import type { Status, VolumeDetail } from '../../src/api/schema.ts'
import { Prng } from '../../src/base/prng.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import { Clients, type Snapshot } from '../kit/clients.ts'
import { quantile, TestGroup } from '../kit/group.ts'

const { EVENKEEL_SEED = String(Date.now() & 0x7fffffff) } = process.env
const SEED = Number(EVENKEEL_SEED)
const VOLUME_BYTES = 192 * 2 ** 20
const BLOCKS_A_RUN = 3
const LOOK_MS = 10

/** What happens to a member, and how long it is away by itself; 0: until `up` has started it again. */
interface Fault {
  readonly name: string
  readonly signal: 'SIGKILL' | 'SIGSTOP' | 'SIGTERM'
  readonly awayMs: number
  /** While it works, and some time before. */
  readonly before?: (folder: string) => Promise<void>
  /** Just before. */
  readonly swap?: (folder: string) => Promise<void>
}

const faults: readonly Fault[] = [
  { name: 'killed', signal: 'SIGKILL', awayMs: 0 },
  { name: 'told to stop', signal: 'SIGTERM', awayMs: 0 },
  { name: 'stopped for 1 s', signal: 'SIGSTOP', awayMs: 1_000 },
  { name: 'stopped for 6 s', signal: 'SIGSTOP', awayMs: 6_000 },
  {
    ...{ name: 'killed, its folder emptied', signal: 'SIGKILL', awayMs: 0 },
    swap: async (folder) => {
      await rename(folder, join(group.folder, 'emptied'))
      await mkdir(folder)
    },
  },
  {
    ...{ name: 'killed, an older copy of its folder in its place', signal: 'SIGKILL', awayMs: 0 },
    before: (folder) => {
      const filter = (path: string) => !path.endsWith('.sock')
      return cp(folder, join(group.folder, 'copy'), { recursive: true, filter })
    },
    swap: async (folder) => {
      await rename(folder, join(group.folder, 'newest'))
      await rename(join(group.folder, 'copy'), folder)
    },
  },
  {
    ...{ name: 'killed, a segment deleted', signal: 'SIGKILL', awayMs: 0 },
    swap: (folder) => rm(join(folder, 'data/000000')),
  },
]

const prng = new Prng(SEED)
let group: TestGroup
/** Stopped just now; they are let go whatever happens. */
const stopped = new Set<number>()

beforeAll(async () => {
  group = await TestGroup.start()
})
afterAll(async () => {
  for (const pid of stopped) process.kill(pid, 'SIGCONT')
  await group.stop()
})

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test('with two copies a member that is killed or silent is an error for nobody, and all copies come back', async () => {
  const volume = await group.createVolume('copies', VOLUME_BYTES, BLOCK_BYTES)
  const clients = new Clients(group, volume, prng.fork(), BLOCKS_A_RUN)
  try {
    for (const [i, member] of group.members.entries())
      await clients.connect({ member, writer: i + 1, isid: i % 2 === 0 ? 'stable' : 'random' })
    const level = await primariesOf()
    clients.begin(2)
    const stalls: string[] = []
    for (const fault of faults) {
      // A primary of something: one that a fault before this one has left without waits to be given its part back.
      const before = await primaries(volume)
      const victim = prng.pick(before)
      const stoodStill = await hurt(victim, fault, clients)
      const told = (q: number) => (quantile(stoodStill, q) / 1000).toFixed(2)
      stalls.push(`${victim} ${fault.name}: ${told(0.5)} / ${told(0.99)} / ${told(1)} s`)
      await expect.poll(missingCopies, { interval: 100 }).toBe(0)
      // Longer than anybody's lease: what was the victim's is others' now.
      if (fault.awayMs > 5_000) expect((await primaries(volume)).join()).not.toBe(before.join())
    }
    const inSync = performance.now()
    await expect.poll(primariesOf, { interval: 500 }).toEqual(level)
    const levelS = ((performance.now() - inSync) / 1000).toFixed(1)
    await clients.goOn()
    const violations = await clients.judged()
    const { good, writes } = clients.figures()
    console.log(
      `copies: seed ${SEED} (EVENKEEL_SEED), ${good} commands answered, ${writes} writes acknowledged, ${violations.length} violations; ` +
        `initiators of other members stood still (p50 / p99 / most): ${stalls.join('; ')}; ` +
        `level again ${levelS} s after all copies were in sync`,
    )
    expect(violations).toEqual([])
    expect(clients.bad).toEqual([])
  } catch (error) {
    throw new Error(`with EVENKEEL_SEED=${SEED}`, { cause: error })
  } finally {
    await clients.close()
  }
}, 200_000)

/** The longest time without an answer of each initiator of another member, for the blocks of each member; until all of them go on. */
async function hurt(victim: string, fault: Fault, clients: Clients): Promise<readonly number[]> {
  const pid = await group.pidOf(victim)
  if (pid === null) throw new Error(`${victim} is not up`)
  const witness = group.members.find((member) => member !== victim)
  const folder = join(group.dataFolder, victim)
  await fault.before?.(folder)
  if (fault.before !== undefined) await clients.goOn()
  await fault.swap?.(folder)
  const others = () => clients.snapshots().filter(({ client }) => client.member !== victim)
  process.kill(pid, fault.signal)
  if (fault.signal === 'SIGSTOP') stopped.add(pid)
  const begin = performance.now()
  const longest = new Map<string, number>()
  const since = new Map<string, { readonly good: number; readonly atMs: number }>()
  const look = () => {
    const now = performance.now()
    for (const one of others()) {
      const known = since.get(nameOf(one)) ?? { good: one.good, atMs: begin }
      longest.set(nameOf(one), Math.max(longest.get(nameOf(one)) ?? 0, now - known.atMs))
      since.set(nameOf(one), one.good > known.good ? { good: one.good, atMs: now } : known)
    }
  }
  const isAway = async () => {
    if (fault.awayMs > 0) return performance.now() - begin < fault.awayMs
    const now = (await group.status(witness)).members.find(({ id }) => id === victim)
    return now?.state !== 'up' || now.pid === pid
  }
  while (await isAway()) {
    look()
    await wait(LOOK_MS)
  }
  if (stopped.delete(pid)) process.kill(pid, 'SIGCONT')
  const back = others()
  while (clients.stuck(back).length > 0) {
    look()
    await wait(LOOK_MS)
  }
  look()
  return [...longest.values()]
}

function nameOf({ client, home }: Snapshot): string {
  return `${client.member} → ${home}`
}

async function primaries({ name }: VolumeDetail): Promise<readonly string[]> {
  const { lanes } = (await group.call<VolumeDetail>(`volumes/${name}`, undefined, await anyUp()))
    .body
  return lanes.map(({ primary }) => primary)
}

/** Of how many slices each member is the primary. */
async function primariesOf(): Promise<readonly string[]> {
  const { members } = (await group.call<Layout>('layout', undefined, await anyUp())).body
  return members.map(({ member, primaries }) => `${member} ${primaries}`)
}

async function missingCopies(): Promise<number> {
  const { members } = (await group.call<Layout>('layout', undefined, await anyUp())).body
  return members.reduce((sum, { missing }) => sum + missing, 0)
}

async function anyUp(): Promise<string> {
  for (const member of group.members) {
    const status = await group.call<Status>('status', undefined, member, 3_000).catch(() => null)
    if (status !== null) return member
  }
  throw new Error('no member answers')
}
