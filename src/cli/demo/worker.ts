// One initiator of the demo: writes and verifies its own pattern at a fixed rate, over pages of all members alike.

import type { Clock } from '../../base/clock.ts'
import { sleep } from '../../base/clock.ts'
import { Prng } from '../../base/prng.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../../base/sizes.ts'
import { Initiator } from '../../initiator/initiator.ts'
import { readPattern, writePattern } from '../../initiator/pattern.ts'
import type { InitiatorSettings } from '../../initiator/settings.ts'

/** What most initiators send most: the work of the member that serves the session outweighs that of the page holder. */
/** Blocks of each page that a worker has for itself. */
const BLOCKS_EACH = 16
/** Of all members alike, and few enough that all is soon written and then verified. */
const PAGES_MAX = 192
/** What a late tick may catch up with; what is beyond was not asked for in time and is left out. */
const OUTSTANDING_MAX = 512
/** Commands are sent some tens at a time: one at a time, what a member pays is waking up, which is neither's session. */
const TICK_MS = 16
const QUEUE_DEPTH = 64

export interface WorkerSettings
  extends Pick<InitiatorSettings, 'net' | 'clock' | 'portal' | 'targetName'> {
  /** 1 to 15: names the worker and its blocks. */
  readonly number: number
  readonly volumeBytes: number
}

export class Worker {
  readonly number: number
  readonly initiator: Initiator
  errors = 0
  miscompares = 0
  verifiedBytes = 0
  writtenBytes = 0
  /** Commands a second. */
  rate = 0
  readonly #clock: Clock
  readonly #pages: number
  readonly #sectorsPerBlock: number
  readonly #prng: Prng
  /** The last sequence written and answered, by block. */
  readonly #written = new Map<number, number>()
  readonly #busy = new Set<number>()
  #sequence = 0
  #outstanding = 0
  #isRunning = true
  #ran: Promise<void>

  static async start(settings: WorkerSettings): Promise<Worker> {
    const { number, net, clock, portal, targetName } = settings
    const initiator = await Initiator.connect({
      net,
      clock,
      portal,
      targetName,
      prng: new Prng(number),
      initiatorName: `iqn.2026-11.dev.evenkeel.demo:client${number}`,
      isid: { kind: 'stable', value: `00023d0000${String(number).padStart(2, '0')}` },
      behaviour: { queueDepth: QUEUE_DEPTH },
    })
    await initiator.readCapacity()
    return new Worker(settings, initiator)
  }

  private constructor(settings: WorkerSettings, initiator: Initiator) {
    this.number = settings.number
    this.initiator = initiator
    this.#clock = settings.clock
    this.#pages = Math.min(PAGES_MAX, Math.floor(settings.volumeBytes / PAGE_BYTES))
    this.#sectorsPerBlock = BLOCK_BYTES / initiator.blockBytes
    this.#prng = new Prng(1000 + settings.number)
    this.#ran = this.#run()
  }

  /** Stops where it is. */
  async stop(): Promise<void> {
    this.#isRunning = false
    await this.#ran
    await this.initiator.close()
  }

  /** Stops, and verifies once more everything that it wrote. */
  async finish(): Promise<void> {
    this.#isRunning = false
    await this.#ran
    while (this.#outstanding > 0) await sleep(this.#clock, TICK_MS)
    const blocks = [...this.#written.keys()]
    for (let i = 0; i < blocks.length; i += OUTSTANDING_MAX) {
      await Promise.all(blocks.slice(i, i + OUTSTANDING_MAX).map((block) => this.#verify(block)))
    }
    await this.initiator.close()
  }

  async #run(): Promise<void> {
    let due = 0
    let lastMs = this.#clock.nowMs()
    while (this.#isRunning) {
      await sleep(this.#clock, TICK_MS)
      const now = this.#clock.nowMs()
      due = Math.min(OUTSTANDING_MAX, due + ((now - lastMs) / 1_000) * this.rate)
      lastMs = now
      while (due >= 1 && this.#outstanding < OUTSTANDING_MAX) {
        due -= 1
        void this.#step()
      }
    }
  }

  /** A write of a block, or the verification of one that was written. */
  async #step(): Promise<void> {
    const page = this.#prng.integer(0, this.#pages - 1)
    const block =
      page * (PAGE_BYTES / BLOCK_BYTES) +
      this.number * BLOCKS_EACH +
      this.#prng.integer(0, BLOCKS_EACH - 1)
    if (this.#busy.has(block)) return
    this.#busy.add(block)
    this.#outstanding += 1
    try {
      if (this.#written.has(block)) await this.#verify(block)
      else await this.#write(block)
    } catch {
      this.errors += 1
    } finally {
      this.#outstanding -= 1
      this.#busy.delete(block)
    }
  }

  async #write(block: number): Promise<void> {
    this.#sequence += 1
    const sequence = this.#sequence
    const lba = block * this.#sectorsPerBlock
    const data = new Uint8Array(BLOCK_BYTES)
    writePattern(data, 0, BLOCK_BYTES, { writer: this.number, sequence, lba })
    const answer = await this.initiator.write(lba, data)
    if (answer.kind !== 'answered' || answer.status !== 0) {
      this.errors += 1
      return
    }
    this.#written.set(block, sequence)
    this.writtenBytes += BLOCK_BYTES
  }

  async #verify(block: number): Promise<void> {
    const lba = block * this.#sectorsPerBlock
    const data = new Uint8Array(BLOCK_BYTES)
    const answer = await this.initiator.read(lba, this.#sectorsPerBlock, data)
    if (answer.kind !== 'answered' || answer.status !== 0) {
      this.errors += 1
      return
    }
    const reading = readPattern(data, 0, BLOCK_BYTES)
    const sequence = this.#written.get(block)
    const isRight =
      reading.kind === 'stamped' &&
      reading.stamp.writer === this.number &&
      reading.stamp.sequence === sequence &&
      reading.stamp.lba === lba
    if (isRight) this.verifiedBytes += BLOCK_BYTES
    else this.miscompares += 1
  }
}
