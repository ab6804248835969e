// The initiators of a simulated group: hosts of both kinds, each with a few commands under way on few blocks, and a
// history of every transmission that a judge can read. A host that is crashed forgets its sessions and starts anew. Now
// and then a host asks a portal for its targets, which disturbs nobody.

import { BufferPool } from '../src/base/buffer-pool.ts'
import { sleep } from '../src/base/clock.ts'
import type { MemberId } from '../src/base/ids.ts'
import type { Net } from '../src/base/net.ts'
import type { Prng } from '../src/base/prng.ts'
import { discover } from '../src/initiator/discover.ts'
import { History } from '../src/initiator/history.ts'
import { Initiator } from '../src/initiator/initiator.ts'
import type { KeySettings } from '../src/iscsi/negotiate.ts'
import { SimClock } from './clock.ts'
import { Commands } from './commands.ts'
import type { SimGroup } from './group.ts'
import { portalOf } from './settings.ts'

const IQN = 'iqn.1994-05.org.example:'

export interface HostPlan {
  readonly name: string
  readonly initiators: readonly InitiatorPlan[]
}

export interface InitiatorPlan {
  readonly kind: 'stable' | 'random'
  readonly portal: MemberId
  readonly depth: number
  /** Most milliseconds between an answer and the next command. */
  readonly thinkMs: number
  readonly pingIdleMs: number
  readonly pingLimitMs: number
  readonly keys: Partial<KeySettings>
}

/** Short, so that lost connections are noticed while the others' faults last. */
const patience = [
  { pingIdleMs: 1_500, pingLimitMs: 2_500 },
  { pingIdleMs: 500, pingLimitMs: 700 },
] as const

const digests = { headerDigest: ['CRC32C'], dataDigest: ['CRC32C'] } as const
/** The first as open-iscsi and libiscsi do; the others check their bytes, or send data only when asked. */
const keySettings: readonly Partial<KeySettings>[] = [
  {},
  {},
  digests,
  { headerDigest: ['CRC32C'] },
  { initialR2T: true, immediateData: false },
  { ...digests, initialR2T: true },
]

const DISCOVERY_EVERY_MS = 4_000
const DISCOVERY_LIMIT_MS = 3_000

/** One host of the Linux kind with a session, sometimes two, and one of the QEMU kind with several under one name. */
export function planHosts(prng: Prng, members: readonly MemberId[]): HostPlan[] {
  const initiator = (kind: 'stable' | 'random'): InitiatorPlan => ({
    kind,
    portal: prng.pick(members),
    depth: prng.integer(1, 4),
    thinkMs: prng.pick([15, 60, 150, 1_000]),
    ...prng.pick(patience),
    keys: prng.pick(keySettings),
  })
  const hosts: HostPlan[] = [{ name: 'linux1', initiators: [initiator('stable')] }]
  if (prng.chance(0.3)) hosts.push({ name: 'linux2', initiators: [initiator('stable')] })
  const siblings = prng.integer(1, 3)
  const initiators = Array.from({ length: siblings }, () => initiator('random'))
  return [...hosts, { name: 'qemu', initiators }]
}

export class Workload {
  readonly hosts: readonly SimHost[]
  readonly histories: History[] = []
  readonly group: SimGroup
  readonly prng: Prng
  isStopped = false

  constructor(group: SimGroup, plans: readonly HostPlan[]) {
    this.group = group
    this.prng = group.prng.fork()
    this.hosts = plans.map((plan) => new SimHost(this, plan))
  }

  start(): void {
    for (const host of this.hosts) host.start()
  }

  get runners(): Runner[] {
    return this.hosts.flatMap(({ runners }) => runners)
  }

  /** What has been answered stays answered; nothing new begins. */
  stop(): void {
    this.isStopped = true
  }

  newHistory(): { readonly history: History; readonly writer: number } {
    const { timeline, blockBytes } = this.group
    const writer = this.histories.length + 1
    const history = new History({ nowMs: () => timeline.nowMs, writer, blockBytes })
    this.histories.push(history)
    return { history, writer }
  }
}

export class SimHost {
  readonly plan: HostPlan
  runners: Runner[] = []
  /** Of its last life. */
  clock: SimClock
  readonly #workload: Workload

  constructor(workload: Workload, plan: HostPlan) {
    this.#workload = workload
    this.plan = plan
    this.clock = new SimClock(workload.group.timeline)
  }

  get isUp(): boolean {
    return this.runners.length > 0 && this.clock.alive
  }

  start(): void {
    const { group } = this.#workload
    this.clock = new SimClock(group.timeline)
    const net = group.net.host(this.plan.name, this.clock)
    group.trace.add(this.plan.name, 'starts')
    this.runners = this.plan.initiators.map(
      (plan, at) => new Runner(this.#workload, this, plan, { net, at }),
    )
    for (const runner of this.runners) void runner.run()
    this.#discoverLater(net, this.#workload.prng.fork())
  }

  #discoverLater(net: Net, prng: Prng): void {
    this.clock.after(prng.unit() * 2 * DISCOVERY_EVERY_MS, () => {
      if (this.#workload.isStopped) return
      void this.#discover(net, prng)
      this.#discoverLater(net, prng)
    })
  }

  /** What is answered is right; there may be no answer, for members are away. */
  async #discover(net: Net, prng: Prng): Promise<void> {
    const { group } = this.#workload
    const at = prng.pick(group.shape.members)
    const portal = portalOf(at)
    const settings = { net, clock: this.clock, buffers: new BufferPool(0), portal }
    const initiatorName = `${IQN}${this.plan.name}`
    const who = { initiatorName, isid: '00023dffffff', limitMs: DISCOVERY_LIMIT_MS }
    const found = await discover({ ...settings, ...who }).catch(() => null)
    group.trace.add(this.plan.name, `discovers ${JSON.stringify(found)} at ${at}`)
    if (found === null) return
    group.totals.discoveries += 1
    const addresses = [`${at}:${portal.port},1`]
    const wanted = group.volumes.map(({ iqn: name }) => ({ name, addresses }))
    if (JSON.stringify(found) === JSON.stringify(wanted)) return
    group.violation(`${at} shows ${JSON.stringify(found)} to a discovery session`)
  }

  crash(how: 'process' | 'power'): void {
    if (!this.isUp) return
    const { group } = this.#workload
    group.trace.add(this.plan.name, `crashes (${how})`)
    group.net.crash(this.plan.name, how)
    this.runners = []
  }
}

/** One initiator of one life of its host. */
export class Runner {
  readonly name: string
  /** Virtual time of the last GOOD answer to a command that began at `lastGoodBeganMs`. */
  lastGoodBeganMs = Number.NEGATIVE_INFINITY
  initiator: Initiator | null = null
  underWay = 0
  readonly #workload: Workload
  readonly #host: SimHost
  readonly #plan: InitiatorPlan
  readonly #net: Net
  readonly #isid: string
  readonly #prng: Prng
  readonly #commands: Commands

  constructor(
    workload: Workload,
    host: SimHost,
    plan: InitiatorPlan,
    place: { readonly net: Net; readonly at: number },
  ) {
    const { history, writer } = workload.newHistory()
    this.#workload = workload
    this.#host = host
    this.#plan = plan
    this.#net = place.net
    this.#isid = `00023d${String(place.at + 1).padStart(6, '0')}`
    this.#prng = workload.prng.fork()
    this.name = `${host.plan.name}.${place.at}#${writer}`
    const own = { clock: host.clock, prng: this.#prng, history }
    this.#commands = new Commands(workload.group, this.name, own)
  }

  async run(): Promise<void> {
    const { group } = this.#workload
    const { plan, clock } = this.#host
    const kind = this.#plan.kind
    const initiator = await Initiator.connect({
      net: this.#net,
      clock,
      prng: this.#prng.fork(),
      portal: portalOf(this.#plan.portal),
      targetName: group.volume.iqn,
      initiatorName: `${IQN}${plan.name}`,
      isid: kind === 'stable' ? { kind, value: this.#isid } : { kind },
      keys: this.#plan.keys,
      behaviour: {
        queueDepth: this.#plan.depth,
        securityStage: kind === 'stable',
        loginLimitMs: 6_000,
        retryMostMs: 600,
        pingIdleMs: this.#plan.pingIdleMs,
        pingLimitMs: this.#plan.pingLimitMs,
      },
    })
    this.initiator = initiator
    initiator.blockBytes = group.blockBytes
    for (let i = 0; i < this.#plan.depth; i += 1) void this.#work(initiator)
  }

  /** Where it begins every login. */
  get portal(): MemberId {
    return this.#plan.portal
  }

  async close(): Promise<void> {
    await this.initiator?.close()
  }

  async reset(): Promise<void> {
    if (this.initiator !== null) await this.#commands.reset(this.initiator)
  }

  async #work(initiator: Initiator): Promise<void> {
    const { clock } = this.#host
    try {
      while (!this.#workload.isStopped) {
        this.underWay += 1
        await this.#command(initiator)
        this.underWay -= 1
        await sleep(clock, this.#prng.unit() * this.#plan.thinkMs)
      }
    } catch (error) {
      this.#workload.group.violation(`${this.name}: ${String(error)}`)
    }
  }

  async #command(initiator: Initiator): Promise<void> {
    const beganMs = this.#workload.group.timeline.nowMs
    const isGood = await this.#commands.next(initiator)
    const { breach } = initiator.travels
    if (breach !== null) throw new Error(`the target broke the protocol: ${breach}`)
    if (!isGood) return
    this.lastGoodBeganMs = Math.max(this.lastGoodBeganMs, beganMs)
  }
}
