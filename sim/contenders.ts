// Hosts that contend for a volume that is not shared: one of the Linux kind, and two of the QEMU kind that bear one name at
// two addresses. Each comes now and then, writes and reads back while it has the volume, and leaves, or breaks down. At
// most one of them may have it (G11, G20 of src/group/claims.ts): the records say so (one-host.ts), and whoever has it reads
// what it wrote.
import { sleep } from '../src/base/clock.ts'
import type { Net } from '../src/base/net.ts'
import type { Prng } from '../src/base/prng.ts'
import { scsiStatus } from '../src/initiator/cdb.ts'
import { Initiator } from '../src/initiator/initiator.ts'
import { SimClock } from './clock.ts'
import type { SimGroup } from './group.ts'
import { portalOf } from './settings.ts'

const LBA = 8
const STAYS_MS = 1_500
const COMES_MS = 1_200
const BREAKS = 0.25
const CRASHES = 0.01
/** Between two writes. */
const WORKS_MS = 200
const GIVES_UP_MS = 5_000

const hosts = [
  { name: 'own1', initiator: 'iqn.1994-05.org.example:own1', isid: '00023d00000a' },
  { name: 'own2', initiator: 'iqn.2008-11.org.linux-kvm', isid: null },
  { name: 'own3', initiator: 'iqn.2008-11.org.linux-kvm', isid: null },
] as const

export class Contenders {
  readonly #group: SimGroup
  readonly #prng: Prng
  readonly #serving = new Set<Initiator>()
  #isStopped = false
  #marks = 0

  constructor(group: SimGroup) {
    this.#group = group
    this.#prng = group.prng.fork()
  }

  start(): void {
    for (const host of hosts) void this.#live(host)
  }

  /** Whoever has the volume leaves it; nobody comes any more. */
  stop(): void {
    this.#isStopped = true
    for (const initiator of this.#serving) void initiator.close()
  }

  async #live(host: (typeof hosts)[number]): Promise<void> {
    const { timeline, net } = this.#group
    const pause = new SimClock(timeline)
    while (!this.#isStopped) {
      await sleep(pause, this.#prng.unit() * COMES_MS)
      if (this.#isStopped) return
      const clock = new SimClock(timeline)
      const initiator = await this.#connect(host, net.host(host.name, clock), clock)
      if (initiator === null) continue
      this.#serving.add(initiator)
      if (this.#isStopped) void initiator.close()
      const untilMs = timeline.nowMs + this.#prng.unit() * STAYS_MS
      const dies = this.#prng.chance(CRASHES)
      if (this.#prng.chance(BREAKS)) {
        clock.after(this.#prng.unit() * STAYS_MS, () => initiator.breakConnection())
      }
      const working = this.#work(initiator, host.name, clock)
      await sleep(pause, Math.max(0, untilMs - timeline.nowMs))
      this.#serving.delete(initiator)
      if (dies && !this.#isStopped) net.crash(host.name, this.#prng.pick(['process', 'power']))
      else await Promise.race([initiator.close().then(() => working), sleep(pause, GIVES_UP_MS)])
    }
  }

  async #connect(
    { name, initiator, isid }: (typeof hosts)[number],
    net: Net,
    clock: SimClock,
  ): Promise<Initiator | null> {
    const { totals, trace, ownVolume, blockBytes } = this.#group
    try {
      const connected = await Initiator.connect({
        net,
        clock,
        prng: this.#prng.fork(),
        portal: portalOf(this.#prng.pick(this.#group.shape.members)),
        targetName: ownVolume.iqn,
        initiatorName: initiator,
        isid: isid === null ? { kind: 'random' } : { kind: 'stable', value: isid },
        behaviour: { giveUpMs: GIVES_UP_MS, pingIdleMs: 500, pingLimitMs: 700 },
      })
      connected.blockBytes = blockBytes
      totals.ownTaken += 1
      return connected
    } catch (error) {
      trace.add(name, String(error))
      totals.ownRefused += 1
      return null
    }
  }

  /** Until its session ends. */
  async #work(initiator: Initiator, name: string, clock: SimClock): Promise<void> {
    const { blockBytes } = this.#group
    const block = new Uint8Array(blockBytes)
    try {
      for (;;) {
        this.#marks += 1
        const mark = this.#marks
        const { logins } = initiator.travels
        const wrote = await initiator.write(LBA, new Uint8Array(blockBytes).fill(mark & 0xff))
        await sleep(clock, this.#prng.unit() * WORKS_MS)
        const read = await initiator.read(LBA, 1, block)
        const isGood = [wrote, read].every(
          (answer) => answer.kind === 'answered' && answer.status === scsiStatus.good,
        )
        // A host that was away meanwhile may have lost the volume to another one.
        if (isGood && initiator.travels.logins === logins && block[0] !== (mark & 0xff)) {
          this.#group.violation(`${name} has the volume alone and reads what another host wrote`)
        }
      }
    } catch {
      // It has left, or was refused after a loss.
    }
  }
}
