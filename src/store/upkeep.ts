// The one background loop: rounds of home writing, checkpoints, giving space back. Level-triggered: each pass looks at
// what is, and does what is due.
//
//   due: blocks are old, the overlay or the ring is half full, a write waits for room, space is wanted, slots were released,
//        direct slots run short
//
// Invariants:
//   UP1. A checkpoint's tail is a position of which everything before had taken effect in memory when the last round
//        began, and that round's slots are synced.
//   UP2. Slots released before a checkpoint was begun become free after it is durable, and not earlier.
//   UP3. While the disk has no room, nothing that is not home is given up, and it is tried again once every
//        `homeAfterMs`.
//   UP4. Released slots are given back by themselves: `checkpointAfterMs` after the last checkpoint, and after
//        `homeAfterMs` where there is no room for one more page. Not sooner: a checkpoint costs by the size of the index.
import { type Clock, type Timer, turnOf } from '../base/clock.ts'
import type { Checkpoints } from './checkpoints.ts'
import type { CommitQueue } from './commit-queue.ts'
import type { DirectWrites } from './direct-writes.ts'
import type { HomeWriter } from './home-writer.ts'
import type { Journal } from './journal.ts'
import type { Pages } from './pages.ts'
import type { StoreWrite } from './record.ts'

/** Ranges given back to the file system after one checkpoint: each may cost a process. */
const PUNCHES = 16
/** Slots freed in one turn of the event loop. */
const FREED_SLOTS = 4096

export interface UpkeepParts {
  readonly clock: Clock
  readonly pages: Pages
  readonly journal: Journal
  readonly queue: CommitQueue
  readonly home: HomeWriter
  readonly direct: DirectWrites
  readonly checkpoints: Checkpoints
  readonly homeAfterMs: number
  readonly checkpointAfterMs: number
  /** There is no room for one more page. */
  readonly isShort: () => boolean
  /** After every pass: how much may be allocated is looked up anew. */
  readonly measureSpace: () => Promise<void>
  /** These were answered 'full' while they waited for room. */
  readonly refused: (writes: readonly StoreWrite[]) => void
  readonly failed: (error: unknown) => void
}

export class Upkeep {
  readonly #parts: UpkeepParts
  #running: Promise<void> | null = null
  #timer: Timer | null = null
  #aged = false
  #spaceWanted = false
  #closing = false
  #hadNoRoom = false
  /** The disk had no room in the last pass: the next is begun by this. */
  #again: Timer | null = null
  /** Everything before it in the journal is home. */
  #homeUpTo: number
  #checkpointMs: number

  constructor(parts: UpkeepParts) {
    this.#parts = parts
    this.#homeUpTo = parts.queue.applied
    this.#checkpointMs = parts.clock.nowMs()
  }

  /** Looks whether something is due. Cheap; called after every batch. */
  look(): void {
    if (this.#closing) return
    if (this.#running === null && this.#again === null && this.#due()) this.#start()
    const { overlay } = this.#parts.pages
    if (this.#timer === null && (overlay.dirtyPages > 0 || this.#hasLimbo)) {
      this.#timer = this.#parts.clock.after(this.#parts.homeAfterMs, () => {
        this.#timer = null
        this.#aged = true
        this.look()
      })
    }
  }

  /** Released slots are needed: a checkpoint frees them. Settles when it was tried; null: there are none. */
  wantSpace(): Promise<void> | null {
    const { segments } = this.#parts.pages.homes
    // Those of a checkpoint under way are about to be free.
    if (segments.limboBlocks === 0) return null
    if (segments.limboSlots > 0) this.#spaceWanted = true
    this.look()
    return this.#running
  }

  /** Begins nothing any more. */
  stop(): void {
    this.#closing = true
    this.#timer?.cancel()
    this.#again?.cancel()
  }

  /** Resolves when the pass under way has ended. */
  async stopped(): Promise<void> {
    this.stop()
    if (this.#running !== null) await this.#running
  }

  /** After `stopped`: everything home and a checkpoint, so that a restart has nothing to replay. */
  async finish(): Promise<void> {
    await this.#round()
    await this.#checkpoint()
  }

  #start(): void {
    this.#running = this.#run()
      .catch((error: unknown) => this.#parts.failed(error))
      .finally(() => {
        this.#running = null
      })
  }

  async #run(): Promise<void> {
    while (!this.#closing && this.#due()) {
      const { journal, queue, isShort } = this.#parts
      const isGivenBack = this.#aged && this.#hasLimbo && isShort() // UP4
      let hasRoom = await this.#round()
      queue.wake()
      const old = this.#parts.clock.nowMs() - this.#checkpointMs >= this.#parts.checkpointAfterMs
      const ringHalf = journal.used * 2 > journal.ring
      if (this.#closing) return
      const slots = this.#parts.direct.wantsSlots
      if (old || ringHalf || slots || queue.stalled || this.#spaceWanted || isGivenBack) {
        hasRoom = (await this.#checkpoint()) && hasRoom
      }
      if (!hasRoom) {
        await this.#outOfRoom()
        return
      }
      if (this.#hadNoRoom) await this.#parts.measureSpace()
      this.#hadNoRoom = false
    }
    // What came due in the last step is due now, not when the next batch looks.
    if (!this.#closing) this.#parts.clock.soon(() => this.look())
  }

  /** UP3 */
  async #outOfRoom(): Promise<void> {
    const { queue, clock, homeAfterMs, measureSpace, refused } = this.#parts
    this.#hadNoRoom = true
    await measureSpace()
    refused(queue.refuseStalled())
    if (this.#closing) return
    this.#again = clock.after(homeAfterMs, () => {
      this.#again = null
      this.look()
    })
  }

  #due(): boolean {
    const { journal, queue, direct } = this.#parts
    const { overlay } = this.#parts.pages
    const progress = queue.applied > journal.tail || overlay.dirtyPages > 0
    if (this.#spaceWanted || (this.#aged && this.#hasLimbo)) return true
    if (!progress) return false
    if (direct.isPressing || direct.wantsSlots) return true
    return this.#isPressed() || (this.#aged && overlay.dirtyPages > 0)
  }

  get #hasLimbo(): boolean {
    return this.#parts.pages.homes.segments.limboSlots > 0
  }

  /** Room is wanted, in the journal or in the overlay. */
  #isPressed(): boolean {
    const { pages, journal, queue } = this.#parts
    return queue.stalled || journal.used * 2 > journal.ring || pages.overlay.isHalfFull
  }

  /** False: the disk had no room for all of it. What waits for its header (HW5) waits while nothing presses. */
  async #round(): Promise<boolean> {
    const { queue, home, direct } = this.#parts
    this.#aged = false
    if (direct.underWay > 0 && !(await this.#haltDirect())) return false
    const position = queue.applied
    const isPatient = !this.#isPressed()
    if ((await home.round(position, isPatient)) > 0) return false
    if (home.headless === 0) this.#homeUpTo = position
    return true
  }

  /** DW4. In the turn in which it resolves nothing is on its way to a direct slot; false: something failed there (ST7). */
  async #haltDirect(): Promise<boolean> {
    const { queue, direct } = this.#parts
    direct.halt()
    await queue.openApplied()
    return direct.underWay === 0
  }

  /** False: the disk had no room for it. */
  async #checkpoint(): Promise<boolean> {
    const { pages, journal, checkpoints, clock, measureSpace, queue } = this.#parts
    const { segments, table } = pages.homes
    this.#spaceWanted = false
    this.#checkpointMs = clock.nowMs()
    const tail = this.#homeUpTo
    const limbo = segments.takeLimbo()
    const head = { tail, syncedUpTo: journal.durable }
    const written = await checkpoints.write(head, table, pages.checkpointParts())
    if (written === 'full') {
      segments.returnLimbo(limbo)
      return false
    }
    // First: a record that tells of a slot that is free now tells of the checkpoint that freed it.
    journal.release(tail, checkpoints.sequence)
    await this.#free(limbo)
    queue.wake()
    const kept = await this.#parts.direct.prepareSlots()
    await segments.unlinkEmpty(kept)
    if (!queue.stalled) await segments.punch(PUNCHES, kept)
    await measureSpace()
    return true
  }

  /** UP2. Some at a time: a volume that was dropped had any number of slots. */
  async #free(limbo: readonly number[]): Promise<void> {
    const { segments } = this.#parts.pages.homes
    for (let from = 0; from < limbo.length; from += FREED_SLOTS) {
      if (from > 0) await turnOf(this.#parts.clock)
      segments.free(limbo.slice(from, from + FREED_SLOTS))
    }
  }
}
