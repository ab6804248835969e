// One program of sim/power-cuts.ts, which says what it is judged by: its lives, and what is cut in them.
import { memberId } from '../src/base/ids.ts'
import { Prng } from '../src/base/prng.ts'
import { BLOCK_BYTES } from '../src/base/sizes.ts'
import { BLOCKS_PER_PAGE } from '../src/store/layout.ts'
import { PageStore } from '../src/store/page-store.ts'
import { type StoreSettings, storeDefaults } from '../src/store/settings.ts'
import {
  applyTo,
  BLOCKS,
  type Change,
  differing,
  GENERATION,
  isIn,
  isTold,
  mustBeEmpty,
  PAGES,
  PageStamps,
  readBlocks,
  SESSION,
  SLICES,
  sliceOf,
  submitTo,
  Violation,
  VOLUMES,
  valueAfter,
  writeOf,
} from './block-model.ts'
import { SimClock } from './clock.ts'
import { chooseEach, chooseRuns } from './crash-choices.ts'
import { type CutFocus, type CutTotals, refusedForRoom } from './cut-totals.ts'
import { SimDisk } from './disk.ts'
import { Timeline } from './timeline.ts'

const LIVES = 6
const STEPS = 40
/** At most one segment for each page, and a spare. */
const FEET_MOST = VOLUMES.length * PAGES.length + 1

export class Program {
  readonly #prng: Prng
  /** For slow reads of whole pages, beside everything else; its own, so that the other programs are as they would be without. */
  readonly #beside: Prng | null = null
  readonly #timeline = new Timeline()
  readonly #disk: SimDisk
  readonly #settings: StoreSettings
  readonly #large: boolean
  /** All records are of one size, so that stale ones fit where new ones are expected. */
  readonly #uniform: boolean
  /** Lives end after a few operations of the disk. */
  readonly #short: boolean
  /** Pages have one or two blocks and lose them again. */
  readonly #reuse: boolean
  /** The disk is full now and then. */
  readonly #full: boolean
  /** Pages are installed, too. */
  readonly #installs: boolean
  readonly #budgetBytes: number | null
  readonly #totals: CutTotals
  #clock: SimClock
  /** Values of the blocks after the changes that the last recovery showed, and the pages' last changes. */
  #base = new Int32Array(BLOCKS)
  readonly #stamps = new PageStamps()
  #changes: Change[] = []
  /** The first so many are known to be in the store. */
  #answered = 0
  readonly #unsettled = new Set<Change>()
  #value = 0
  #operation = 0
  #epoch = 1
  /** Acknowledged. */
  #upTo = 0
  /** Operations that are known to be in the store. */
  #kept: Change[] = []
  #failure: unknown = null

  constructor(seed: number, totals: CutTotals, focus: CutFocus | null) {
    this.#prng = new Prng(seed)
    this.#totals = totals
    this.#clock = new SimClock(this.#timeline)
    // The disk's own clock: the host's dies with it.
    this.#disk = new SimDisk(new SimClock(this.#timeline))
    const latency = this.#prng.fork()
    if (seed % 4 === 0) this.#beside = new Prng(seed)
    const slow = this.#beside === null ? 0.1 : 3
    if (this.#prng.chance(0.7)) {
      this.#disk.faults.latencyMs = (kind) =>
        latency.integer(0, 20) * (kind === 'read' ? slow : 0.1)
    }
    this.#large = focus === null ? this.#prng.chance(0.25) : focus === 'large'
    this.#uniform = focus === 'stale' || (!this.#large && this.#prng.chance(0.3))
    this.#short = focus === 'stale'
    this.#reuse = focus === 'reuse'
    this.#installs = focus === 'install'
    const isDirect = focus === 'direct' || (this.#installs && seed % 3 === 0)
    this.#full = focus === 'full' || (isDirect && seed % 3 === 0)
    this.#budgetBytes = focus === 'budget' ? this.#prng.integer(20, 80) * BLOCK_BYTES : null
    this.#settings = {
      ...storeDefaults,
      budgetBytes: this.#budgetBytes,
      fullAt: 0.9,
      groupId: 'g',
      memberId: memberId('m'),
      newFolderId: `folder-${seed}`,
      journalBytes: this.#large ? 1536 * 1024 : this.#prng.integer(180, 400) * 512,
      tombstoneRuns: seed % 3,
      directPages: isDirect ? this.#prng.integer(1, 4) : 0,
      directBytes: (1 + (seed % 3)) * BLOCK_BYTES,
      ...{ directAfterBytes: 0, directLeastBlocks: 1 },
      slotsPerSegment: isDirect ? this.#prng.integer(6, 12) : this.#prng.integer(1, 3),
      overlayBytes: (this.#large ? 200 : this.#prng.integer(12, 60)) * BLOCK_BYTES,
      cachedPages: this.#prng.integer(1, 4),
      cacheBytes: this.#prng.integer(0, 24) * 5_000,
      homeAfterMs: this.#reuse ? 1 : this.#prng.integer(2, isDirect ? 8 : 30),
      scrubEveryMs: this.#installs ? 40 : 0,
      checkpointAfterMs: this.#prng.integer(5, this.#reuse ? 1000 : 100),
    }
  }

  async run(): Promise<void> {
    for (let life = 0; life < LIVES; life += 1) {
      const store = await this.#open()
      if (store === null) continue
      await this.#judge(store)
      await this.#live(store)
      this.#crash()
    }
    const store = await this.#must(PageStore.open(this.#disk, this.#clock, this.#settings))
    await this.#judge(store)
    await this.#must(store.close())
    const again = await this.#must(PageStore.open(this.#disk, this.#clock, this.#settings))
    if (again.recovery.replayed > 0) throw new Violation('broken', 'a closed store was replayed')
    await this.#judge(again)
  }

  /** Opens, sometimes with a cut in the middle of it (then null). */
  async #open(): Promise<PageStore | null> {
    if (!this.#prng.chance(0.5)) {
      return this.#must(PageStore.open(this.#disk, this.#clock, this.#settings))
    }
    const cut = this.#disk.cutAfter(this.#prng.integer(1, 14)).then(() => null)
    if (this.#full && this.#prng.chance(0.5)) this.#takeRoom()
    const opened = PageStore.open(this.#disk, this.#clock, this.#settings).catch(refusedForRoom)
    const store = await this.#must(Promise.race([cut, opened]))
    this.#giveRoom()
    if (store !== null) return store
    this.#totals.recoveryCuts += 1
    this.#crash()
    return null
  }

  async #live(store: PageStore): Promise<void> {
    let isCut = false
    const most = this.#settings.directPages > 0 ? [20, 80, 300] : [6, 40, 160]
    const after = this.#prng.integer(1, this.#short ? 4 : this.#prng.pick(most))
    void this.#disk.cutAfter(after).then(() => {
      isCut = true
    })
    void store.failed.then((reason) => {
      this.#failure = new Error(reason)
    })
    for (let step = 0; step < STEPS && !isCut; step += 1) await this.#step(store, () => isCut)
    // As often as not it dies without room; it always starts again with some.
    if (this.#prng.chance(0.5)) this.#giveRoom()
    // What hangs now hangs for good, unless the power is off.
    for (let i = 0; i < 100 && !isCut && this.#unsettled.size > 0; i += 1) {
      await this.#timeline.run(this.#timeline.nowMs + 10)
    }
    if (this.#failure !== null) throw this.#failure
    if (!isCut && this.#unsettled.size > 0) {
      throw new Violation('broken', 'a change never settled')
    }
    this.#giveRoom()
  }

  async #step(store: PageStore, isCut: () => boolean): Promise<void> {
    if (this.#prng.chance(0.6)) {
      // What is refused at once is known before the next is asked about (ST9).
      for (let i = this.#prng.integer(1, 6); i > 0; i -= 1) await this.#submit(store)
    } else if (this.#prng.chance(0.3) && this.#answered > 0) this.#acknowledge(store)
    else if (this.#prng.chance(0.8)) await this.#drive(this.#checkSome(store), isCut)
    await this.#timeline.run(this.#timeline.nowMs + this.#prng.integer(0, 8))
    if (this.#failure !== null) throw this.#failure
    this.#checkBudget(store)
    const [damaged] = store.damagedPages()
    if (damaged !== undefined) throw new Violation('damaged', `page ${damaged.page} is told (SC2)`)
    this.#readBeside(store)
    if (!this.#full || this.#prng.chance(0.8)) return
    if (this.#prng.chance(0.5)) this.#takeRoom()
    else this.#giveRoom()
  }

  /** RD4: the page may change, or go with its segment, while it is read. That it is whole and not damaged is all that is judged. */
  #readBeside(store: PageStore): void {
    const page = this.#beside?.integer(0, 4 * (BLOCKS / BLOCKS_PER_PAGE)) ?? BLOCKS
    if (page * BLOCKS_PER_PAGE >= BLOCKS) return
    readBlocks(store, page * BLOCKS_PER_PAGE, BLOCKS_PER_PAGE).catch((error: unknown) => {
      this.#failure ??= error
    })
  }

  /** RO1. Feet of segments are counted when they are made. */
  #checkBudget(store: PageStore): void {
    if (this.#budgetBytes === null) return
    const { takenBytes } = store.usage()
    if (takenBytes > this.#budgetBytes + FEET_MOST * BLOCK_BYTES) {
      throw new Violation('broken', `${takenBytes} bytes are taken of ${this.#budgetBytes}`)
    }
  }

  /** Somebody else's files leave no more than a little. */
  #takeRoom(): void {
    const left = this.#prng.integer(0, 6) * 16 * 1024
    this.#disk.faults.capacityBytes = this.#disk.storedBytes() + left
  }

  #giveRoom(): void {
    this.#disk.faults.capacityBytes = Number.MAX_SAFE_INTEGER
  }

  async #submit(store: PageStore): Promise<void> {
    const index = this.#changes.length
    const change = this.#invent()
    // A primary asks first, and writes nothing if there is nothing; a copy does as it has decided (ST9).
    if (change.kind === 'unmap' && this.#prng.chance(0.7) && !store.holds(writeOf(change))) {
      mustBeEmpty(change, this.#base, this.#changes)
      return
    }
    this.#changes.push(change)
    this.#unsettled.add(change)
    submitTo(store, change, this.#upTo).then(
      (result) => {
        this.#unsettled.delete(change)
        if (result === 'full') this.#totals.full += 1
        if (result === 'full') {
          this.#changes[index] = { ...change, blocks: 0, operation: 0, seq: 0 }
          return
        }
        // Answered means that it and all changes before it are in the store.
        this.#answered = Math.max(this.#answered, index + 1)
        this.#totals.acknowledged += 1
      },
      (error: unknown) => {
        this.#failure ??= error
      },
    )
  }

  #invent(): Change {
    const volume = this.#prng.integer(0, VOLUMES.length - 1)
    const page = this.#prng.integer(0, PAGES.length - 1)
    const places = this.#reuse ? [0, 1] : [0, 1, 2, 3, 63, 64, 128, 252, 253, 254, 255]
    const within = this.#prng.pick(places)
    const first = (volume * PAGES.length + page) * BLOCKS_PER_PAGE + within
    // Pages 0 and 1 lie side by side in one run; the other one is at the end of its reach.
    const room = page === 0 ? 2 * BLOCKS_PER_PAGE - within : BLOCKS_PER_PAGE - within
    const many = this.#large && this.#prng.chance(0.3)
    const few = this.#uniform ? 1 : this.#prng.integer(1, this.#reuse ? 2 : 4)
    const wanted = many ? this.#prng.integer(60, 140) : few
    const blocks = Math.min(room, wanted)
    const dice = this.#uniform ? 1 : this.#prng.unit()
    this.#operation += 1
    if (this.#installs && this.#prng.chance(0.2)) return this.#inventPage(first - within)
    if (dice < 0.02) {
      const start = volume * PAGES.length * BLOCKS_PER_PAGE
      const all = PAGES.length * BLOCKS_PER_PAGE
      return this.#change('drop', start, all)
    }
    if (dice < 0.04) {
      this.#epoch += 1
      return { ...this.#change('dropSlice', 0, BLOCKS), slice: sliceOf(first) }
    }
    if (dice < (this.#reuse ? 0.5 : 0.2)) {
      return this.#inventUnmap({ volume, first, within, blocks })
    }
    this.#value += 1
    return this.#change('write', first, blocks)
  }

  #change(kind: Change['kind'], first: number, blocks: number): Change {
    const isNumbered = kind !== 'drop' && kind !== 'dropSlice'
    const value = kind === 'write' || kind === 'trim' ? this.#value : 0
    const operation = isNumbered ? this.#operation : 0
    const slice = sliceOf(first)
    return { kind, first, blocks, value, operation, seq: operation, slice, epoch: this.#epoch }
  }

  /** Empty, or a few blocks; as often as not with a stamp that is lower than what the page may have. */
  #inventPage(first: number): Change {
    this.#value += 1
    const value = this.#prng.chance(0.3) ? 0 : this.#value
    const seq = Math.max(1, this.#operation - this.#prng.pick([0, 0, 3, 10]))
    return { ...this.#change('install', first, BLOCKS_PER_PAGE), value, seq }
  }

  /** Of some blocks, of a page, of the rest of the volume, or of some blocks with their neighbours in part. */
  #inventUnmap(at: { volume: number; first: number; within: number; blocks: number }): Change {
    const { volume, first, within, blocks } = at
    if (!this.#reuse && this.#prng.chance(0.4)) {
      return this.#change('unmap', first - within, BLOCKS_PER_PAGE)
    }
    const end = (volume + 1) * PAGES.length * BLOCKS_PER_PAGE
    if (this.#prng.chance(0.2)) return this.#change('unmap', first, end - first)
    // The last page is on another slice, and both blocks at the ends are of this one.
    const rest = (sliceOf(first) === SLICES[0] ? end - BLOCKS_PER_PAGE : end) - first
    // Those of this program make blocks, which those of the volume room never do (M1).
    const isPlain = this.#reuse || this.#budgetBytes !== null
    if (isPlain || this.#prng.chance(0.5) || rest < 2) {
      return this.#change('unmap', first, blocks)
    }
    this.#value += 1
    const length = this.#prng.pick([2, 3, Math.min(rest, 300), rest])
    return this.#change('trim', first, Math.min(rest, length))
  }

  #acknowledge(store: PageStore): void {
    const last = this.#changes[this.#prng.integer(0, this.#answered - 1)]
    if (last === undefined || last.operation === 0) return
    this.#upTo = Math.max(this.#upTo, last.operation)
    for (const slice of SLICES) store.acknowledge(SESSION, GENERATION, slice, this.#upTo)
  }

  /** Some blocks, three times: what is read again may come from memory. */
  async #checkSome(store: PageStore): Promise<void> {
    const blocks = Array.from({ length: 6 }, () => this.#aBlock())
    for (let i = 0; i < 3; i += 1) for (const block of blocks) await this.#check(store, block)
  }

  /** Any, or one of a change of this life. */
  #aBlock(): number {
    const any = { first: this.#prng.integer(0, BLOCKS - 1), blocks: 1 }
    const { first, blocks } = this.#prng.pick([any, ...this.#changes])
    return first + this.#prng.integer(0, Math.max(1, Math.min(blocks, 4)) - 1)
  }

  /** A block read while everything goes on: as some change between answered and handed in left it. */
  async #check(store: PageStore, block: number): Promise<void> {
    const allowed = new Set([valueAfter(this.#base, this.#changes, this.#answered, block)])
    const got = await readBlocks(store, block, 1)
    for (let k = this.#answered; k <= this.#changes.length; k += 1) {
      allowed.add(valueAfter(this.#base, this.#changes, k, block))
    }
    const value = got[0] ?? 0
    if (!allowed.has(value)) throw new Violation('lost', `block ${block} read ${value}`)
  }

  #crash(): void {
    this.#totals.cuts += 1
    this.#clock.kill()
    this.#clock = new SimClock(this.#timeline)
    this.#disk.crash(this.#prng.chance(0.3) ? chooseEach(this.#prng) : chooseRuns(this.#prng))
  }

  /** Finds k, and makes the state after k the new base. */
  async #judge(store: PageStore): Promise<void> {
    const actual = new Int32Array(BLOCKS)
    for (let first = 0; first < BLOCKS; first += BLOCKS_PER_PAGE) {
      actual.set(await this.#must(readBlocks(store, first, BLOCKS_PER_PAGE)), first)
    }
    const state = this.#base.slice()
    for (const change of this.#changes.slice(0, this.#answered)) applyTo(state, change)
    let k = this.#answered
    while (differing(state, actual) !== null) {
      const change = this.#changes[k]
      if (change === undefined) throw new Violation('lost', this.#describe(actual))
      applyTo(state, change)
      k += 1
    }
    this.#judgeStamps(store, this.#judgeOperations(store, k, state), state)
    this.#base = state
    this.#changes = []
    this.#answered = 0
    this.#unsettled.clear()
  }

  /** Changes that undo each other make several k possible: the last one of which the store knows decides. Drops of volumes,
   *  of which nothing is remembered, may follow it. */
  #judgeOperations(store: PageStore, least: number, state: Int32Array): number {
    const isKept = (change: Change) => isIn(store, change)
    let k = Math.max(least, this.#changes.findLastIndex(isKept) + 1)
    const further = state.slice()
    for (const change of this.#changes.slice(least, k)) applyTo(further, change)
    while (differing(further, state) !== null) {
      const change = this.#changes[k]
      if (change === undefined || isTold(change)) {
        throw new Violation('forgotten', `change ${k} of the life is remembered, but not there`)
      }
      applyTo(further, change)
      k += 1
    }
    for (const change of this.#changes.slice(0, k)) {
      if (!isTold(change)) continue
      if (change.kind === 'dropSlice') this.#forgetSlice(store, change)
      else this.#kept.push(change)
    }
    for (const change of this.#kept) {
      if (!isIn(store, change)) {
        throw new Violation('forgotten', `operation ${change.operation} is forgotten`)
      }
    }
    this.#kept = this.#kept.slice(-200)
    return k
  }

  /** Drops, which change nothing else of pages that were vacated before, may follow. */
  #judgeStamps(store: PageStore, k: number, state: Int32Array): void {
    for (const change of this.#changes.slice(0, k)) this.#stamps.apply(change)
    for (let next = k; ; next += 1) {
      const wrong = this.#stamps.wrongIn(store, state)
      if (wrong === null) return
      const change = this.#changes[next]
      if (change === undefined || isTold(change)) throw new Violation('forgotten', wrong)
      this.#stamps.apply(change)
    }
  }

  /** PG5: of what was before the drop nothing is remembered, unless what came later acknowledged it. SI2: the drop is. */
  #forgetSlice(store: PageStore, drop: Change): void {
    const before = this.#kept.filter(({ slice }) => slice === drop.slice)
    this.#kept = this.#kept.filter(({ slice }) => slice !== drop.slice)
    const still = before.find((change) => change.operation > this.#upTo && isIn(store, change))
    if (still !== undefined) {
      throw new Violation('broken', `operation ${still.operation} of a dropped slice is remembered`)
    }
    if (!isIn(store, drop)) throw new Violation('forgotten', `drop ${drop.epoch} is forgotten`)
  }

  #describe(actual: Int32Array): string {
    const state = this.#base.slice()
    for (const change of this.#changes.slice(0, this.#answered)) applyTo(state, change)
    const block = differing(state, actual) ?? 0
    return (
      `block ${block} is ${actual[block]}, was answered ${state[block]}; ` +
      `${this.#answered} of ${this.#changes.length} changes were answered`
    )
  }

  /** Drives virtual time until the promise settles. */
  async #must<T>(promise: Promise<T>): Promise<T> {
    if (await this.#drive(promise, () => false)) return promise
    throw new Violation('broken', 'the store does not come to an end')
  }

  /** False if it was given up. A rejection passes through. */
  async #drive(promise: Promise<unknown>, givenUp: () => boolean): Promise<boolean> {
    let settled = false
    const watched = promise.finally(() => {
      settled = true
    })
    watched.catch(() => {})
    for (let i = 0; i < 10_000 && !settled && !givenUp(); i += 1) {
      await this.#timeline.run(this.#timeline.nowMs + 1)
    }
    if (settled) await watched
    return settled
  }
}
