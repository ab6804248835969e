// What is measured: groups of this checkout and of another, and tgt. A group is started as a user starts it, and spoken to
// by the CLI of its own checkout alone, so that any commit can stand beside this one.
import { execFile } from 'node:child_process'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { RUN_BYTES } from '../src/base/sizes.ts'
import { onFreePorts } from '../src/supervisor/free-ports.ts'
import { type RunningGroup, startGroupOf, stopGroup } from '../test/e2e/running-group.ts'
import { Load, type Region } from './load.ts'
import { writtenBytes } from './processes.ts'
import type { Tgt } from './tgt.ts'

export const VOLUME_BYTES = 512 * 1024 ** 2
/** Members bring blocks home a second after they became durable. */
export const REST_MS = 1200
const PROBE = { reads: 100, order: 'sequential', bytes: 64 * 1024, depth: 8 } as const
const PROBE_BYTES = 1024 ** 2

const run = promisify(execFile)

/** What a checkout is called in the results, and where it is. */
export interface Checkout {
  readonly name: string
  readonly folder: string
}

/** One thing that a work is given to. */
export interface System {
  readonly name: string
  readonly load: Load
  readonly region: Region
  readonly pids: readonly number[]
  /** Until what it has left for later is done, so that it counts for it and does not disturb who comes next. */
  readonly settle: () => Promise<void>
}

export class Group {
  readonly pids: readonly number[]
  readonly members: readonly { readonly port: number; readonly pid: number }[]
  readonly #checkout: Checkout
  readonly #group: RunningGroup

  static start(checkout: Checkout, folder: string, members: number): Promise<Group> {
    return onFreePorts('127.0.0.1', 2 * members, async (basePort) => {
      const flags = ['--members', String(members), '--placement', 'off', '--balance', 'off']
      const launcher = join(checkout.folder, 'bin/evenkeel')
      return new Group(checkout, await startGroupOf(launcher, folder, basePort, ...flags))
    })
  }

  private constructor(checkout: Checkout, group: RunningGroup) {
    this.#checkout = checkout
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
    const launcher = join(this.#checkout.folder, 'bin/evenkeel')
    const which = ['--api', this.#group.ready.api, '-o', 'json']
    const args = ['volume', 'create', name, '--size', String(VOLUME_BYTES), '--shared']
    const { stdout } = await run(launcher, [...which, ...args])
    return JSON.parse(stdout).iqn
  }

  connect(member: number, iqn: string): Promise<Load> {
    const { port = 0 } = this.members[member] ?? {}
    return Load.connect({ port, iqn, lun: 0 })
  }

  /**
   * The runs that the member of the session has itself, and those that it fetches. How runs are dealt is the business of
   * each version: where one is shows in whether other members write anything when it is read.
   */
  async regions(member: number, load: Load): Promise<{ local: Region; forwarded: Region }> {
    const others = this.members.filter((_, i) => i !== member).map(({ pid }) => pid)
    const local: number[] = []
    const forwarded: number[] = []
    for (let offset = 0; offset < VOLUME_BYTES; offset += RUN_BYTES) {
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

export const wholeVolume: Region = {
  offsets: Array.from({ length: VOLUME_BYTES / RUN_BYTES }, (_, i) => i * RUN_BYTES),
  RUN_BYTES,
}

/** A session of the first of two members, on what it has itself and on what the other one has. */
export async function localAndForwarded(checkout: Checkout, group: Group): Promise<System[]> {
  const load = await group.connect(0, await group.createVolume('bench'))
  await load.fill(wholeVolume)
  await rest(2 * REST_MS)
  const { local, forwarded } = await group.regions(0, load)
  const same = { load, pids: group.pids, settle: () => rest(REST_MS) }
  return [
    { name: `${checkout.name}, local`, region: local, ...same },
    { name: `${checkout.name}, forwarded`, region: forwarded, ...same },
  ]
}

export const TGT = 'tgt'
export const TGT_WRITE_THROUGH = 'tgt, write-through'

export async function tgtSystems(tgt: Tgt): Promise<System[]> {
  const half = { offsets: wholeVolume.offsets.filter((_, i) => i % 2 === 0), RUN_BYTES }
  const systems: System[] = []
  for (const [name, disk] of [
    [TGT, tgt.plain],
    [TGT_WRITE_THROUGH, tgt.writeThrough],
  ] as const) {
    const load = await Load.connect({ port: tgt.port, iqn: disk.iqn, lun: 1 })
    await load.fill(half)
    systems.push({ name, load, region: half, pids: [tgt.pid], settle: () => sync(disk.file) })
  }
  return systems
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
