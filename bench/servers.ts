// What is measured: groups of this checkout and of another, and tgt. A group is started as a user starts it, and spoken to
// by the CLI of its own checkout alone, so that any commit can stand beside this one.
import { execFile } from 'node:child_process'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { RUN_BYTES } from '../src/base/sizes.ts'
import { onFreePorts } from '../src/supervisor/free-ports.ts'
import { type RunningGroup, startGroupOf, stopGroup } from '../test/e2e/running-group.ts'
import { Load, type Region } from './load.ts'
import { writtenBytes } from './processes.ts'
import type { Tgt } from './tgt.ts'

export const VOLUME_BYTES = 512 * 1024 ** 2
const LOOK_MS = 200
/** What a case writes is copied again within seconds. */
const IN_SYNC_WITHIN_MS = 5 * 60_000
/** Members bring blocks home a second after they became durable. */
export const REST_MS = 1200
const PROBE = { reads: 100, order: 'sequential', bytes: 64 * 1024, depth: 8 } as const
const PROBE_BYTES = 1024 ** 2
/** BC5 of src/store/block-cache.ts: each pass may add a quarter to what is kept. */
const WARM_PASSES = 16
/** Long ones are not kept in memory. */
const SHORT_READS = { reads: 100, order: 'sequential', bytes: 4096, depth: 32 } as const
const EVERYTHING = { reads: 100, order: 'sequential', bytes: 256 * 1024, depth: 8 } as const

const run = promisify(execFile)

/** What a checkout is called in the results, and where it is. */
export interface Checkout {
  readonly name: string
  readonly folder: string
}

export interface Session {
  readonly load: Load
  readonly region: Region
}

/** One thing that a work is given to. */
export interface System {
  readonly name: string
  readonly sessions: readonly Session[]
  readonly pids: readonly number[]
  /** Of them the members that do not have the sessions, if their part is asked for. */
  readonly elsewhere?: readonly number[]
  /** Until what it has left for later is done, so that it counts for it and does not disturb who comes next. */
  readonly settle: () => Promise<void>
}

export class Group {
  readonly pids: readonly number[]
  readonly members: readonly { readonly port: number; readonly pid: number }[]
  readonly #checkout: Checkout
  readonly #folder: string
  readonly #group: RunningGroup

  static async start(
    checkout: Checkout,
    folder: string,
    { members, copies }: { readonly members: number; readonly copies: number },
  ): Promise<Group> {
    const launcher = join(checkout.folder, 'bin/evenkeel')
    // An older commit keeps one copy, and knows no other.
    const { stdout: help } = await run(launcher, ['up', '--help'])
    const asked = help.includes('--copies') ? ['--copies', String(copies)] : []
    return onFreePorts('127.0.0.1', 2 * members, async (basePort) => {
      const flags = ['--members', String(members), '--placement', 'off', '--balance', 'off']
      const group = await startGroupOf(launcher, folder, basePort, ...flags, ...asked)
      return new Group(checkout, folder, group)
    })
  }

  private constructor(checkout: Checkout, folder: string, group: RunningGroup) {
    this.#checkout = checkout
    this.#folder = folder
    this.#group = group
    group.process.stdout?.resume()
    this.members = group.ready.members.map(({ portal, pid }) => ({
      port: Number(portal.slice(portal.lastIndexOf(':') + 1)),
      pid,
    }))
    const launcher = group.process.pid
    this.pids = [
      ...(launcher === undefined ? [] : [launcher]),
      ...this.members.map(({ pid }) => pid),
    ]
  }

  /** The target's name. */
  async createVolume(name: string): Promise<string> {
    const size = ['--size', String(VOLUME_BYTES), '--shared']
    return JSON.parse(await this.#cli('volume', 'create', name, ...size)).iqn
  }

  async balance(): Promise<void> {
    await this.#cli('balance', 'on')
  }

  /** Slices of which a copy is not in sync. */
  async lacking(): Promise<number> {
    const { slices } = JSON.parse(await this.#cli('layout', 'show'))
    return slices.degraded + slices.lastCopy + slices.unavailable
  }

  /** Settles when all copies are in sync; rejects if that takes too long. */
  async inSync(): Promise<void> {
    const untilMs = performance.now() + IN_SYNC_WITHIN_MS
    for (let lacking = await this.lacking(); lacking > 0; lacking = await this.lacking()) {
      if (performance.now() > untilMs)
        throw new Error(
          `${lacking} slices of ${this.#checkout.name} still lack a copy in sync after ${IN_SYNC_WITHIN_MS / 1000} s: see the logs of its members`,
        )
      await rest(LOOK_MS)
    }
  }

  async #cli(...args: readonly string[]): Promise<string> {
    const launcher = join(this.#checkout.folder, 'bin/evenkeel')
    const { stdout } = await run(launcher, ['--api', this.#group.ready.api, '-o', 'json', ...args])
    return stdout
  }

  connect(member: number, iqn: string, initiator?: string): Promise<Load> {
    const { port = 0 } = this.members[member % this.members.length] ?? {}
    return Load.connect({ port, iqn, lun: 0, ...(initiator === undefined ? {} : { initiator }) })
  }

  /** Takes what the group has written out of the page cache: dd's way to say POSIX_FADV_DONTNEED of whole files. */
  async makeCold(): Promise<void> {
    for (const entry of await readdir(this.#folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const file = `of=${join(entry.parentPath, entry.name)}`
      await run('dd', [file, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none'])
    }
  }

  /** Reads everything through a session, so that it is in the page cache, and members have seen that it is: the next case begins as if there had been none that was cold. */
  async makeWarm(load: Load): Promise<void> {
    for (let pass = 0; pass < 2; pass += 1) await load.once(EVERYTHING, wholeVolume)
  }

  /**
   * The runs that the member of the session has itself, and those that it fetches. How runs are dealt is the business of
   * each version: where one is shows in whether other members write anything when it is read.
   */
  async regions(
    member: number,
    load: Load,
    among: readonly number[] = wholeVolume.offsets,
  ): Promise<{ local: Region; forwarded: Region }> {
    const others = this.members.filter((_, i) => i !== member).map(({ pid }) => pid)
    const local: number[] = []
    const forwarded: number[] = []
    for (const offset of among) {
      const before = writtenBytes(others)
      await load.once(PROBE, { offsets: [offset], RUN_BYTES: PROBE_BYTES })
      const isElsewhere = writtenBytes(others) - before > PROBE_BYTES / 2
      ;(isElsewhere ? forwarded : local).push(offset)
    }
    const region = (offsets: readonly number[]) => ({ offsets, RUN_BYTES })
    return { local: region(local), forwarded: region(forwarded) }
  }

  async stop(): Promise<void> {
    await stopGroup(this.#group)
  }
}

/** As often as it takes until what a server keeps in memory of it is all that it will keep: a member's cache grows with its hits. */
export async function warmUp({ load, region }: Session): Promise<void> {
  for (let pass = 0; pass < WARM_PASSES; pass += 1) await load.once(SHORT_READS, region)
}

export const wholeVolume: Region = {
  offsets: Array.from({ length: VOLUME_BYTES / RUN_BYTES }, (_, i) => i * RUN_BYTES),
  RUN_BYTES,
}

/** Sessions of the first of two members, on what it has itself and on what the other one has. */
export async function localAndForwarded(
  name: string,
  group: Group,
  sessions: number,
): Promise<System[]> {
  const iqn = await group.createVolume('bench')
  const loads = await connected(sessions, () => group.connect(0, iqn))
  const [first] = loads
  if (first === undefined) throw new Error('no session')
  await first.fill(wholeVolume)
  await rest(2 * REST_MS)
  const { local, forwarded } = await group.regions(0, first)
  for (const region of [local, forwarded]) await warmUp({ load: first, region })
  const system = (where: string, region: Region): System => ({
    name: `${name}, ${where}`,
    sessions: loads.map((load) => ({ load, region })),
    pids: group.pids,
    settle: () => rest(REST_MS),
  })
  return [system('local', local), system('forwarded', forwarded)]
}

export const TGT = 'tgt'
export const TGT_WRITE_THROUGH = 'tgt, write-through'

export async function tgtSystems(tgt: Tgt): Promise<System[]> {
  const region = { offsets: wholeVolume.offsets.filter((_, i) => i % 2 === 0), RUN_BYTES }
  const system = async (name: string, { iqn, file }: Tgt['plain']): Promise<System> => {
    const load = await Load.connect({ port: tgt.port, iqn, lun: 1 })
    await load.fill(region)
    const sessions = [{ load, region }]
    for (const session of sessions) await warmUp(session)
    return { name, sessions, pids: [tgt.pid], settle: () => sync(file) }
  }
  return [await system(TGT, tgt.plain), await system(TGT_WRITE_THROUGH, tgt.writeThrough)]
}

/** One after the other. */
export async function connected(
  count: number,
  connect: (i: number) => Promise<Load>,
): Promise<Load[]> {
  const loads: Load[] = []
  for (let i = 0; i < count; i += 1) loads.push(await connect(i))
  return loads
}

/** What tgt only has in the page cache. */
async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r')
  await handle.datasync()
  await handle.close()
}

export function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
