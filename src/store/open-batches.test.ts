// Two batches under way at once: whatever the disk does first, they count in their order.
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import { Timeline } from '../../sim/timeline.ts'
import { block, settings, write } from '../../test/kit/store-world.ts'
import { volumeId } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import { PageStore } from './page-store.ts'
import type { StoreSettings } from './settings.ts'

/** A store whose durable writes take as long as is said, one after the other. */
class Slow {
  readonly timeline = new Timeline()
  readonly disk = new SimDisk(new SimClock(this.timeline))
  readonly settings: StoreSettings
  readonly answered: number[] = []
  #store: PageStore | null = null

  constructor(own: Partial<StoreSettings> = {}) {
    this.settings = { ...settings, homeAfterMs: 1e6, checkpointAfterMs: 0, ...own }
  }

  async open(latenciesMs: readonly number[]): Promise<PageStore> {
    const store = await this.opened(this.disk)
    const left = [...latenciesMs]
    this.disk.faults.latencyMs = (kind) => (kind === 'writeDurable' ? (left.shift() ?? 0) : 0)
    this.#store = store
    return store
  }

  opened(disk: SimDisk): Promise<PageStore> {
    const opening = PageStore.open(disk, new SimClock(this.timeline), this.settings)
    return this.timeline.finish(opening)
  }

  /** In a turn of its own. */
  async write(number: number, at: number, blocks = 1): Promise<void> {
    this.hand(number, at, blocks)
    await this.pass(0.1)
  }

  /** Its blocks hold its number. */
  hand(number: number, at: number, blocks = 1): void {
    const data = block(number, blocks)
    void this.#store?.write(write(1, at * BLOCK_BYTES, data)).then((result) => {
      if (result === 'done') this.answered.push(number)
    })
  }

  async pass(ms: number): Promise<void> {
    await this.timeline.run(this.timeline.nowMs + ms)
  }

  /** After a power cut that leaves what `choose` says: the first bytes of these blocks. */
  async left(choose: (choices: number) => number, blocks: readonly number[]): Promise<number[]> {
    const disk = this.disk.clone()
    disk.faults.latencyMs = null
    disk.crash(choose)
    const store = await this.opened(disk)
    const found: number[] = []
    for (const at of blocks) {
      const into = block(0)
      const reading = Promise.resolve(store.read(volumeId(1), at * BLOCK_BYTES, into))
      expect(await this.timeline.finish(reading)).toBe('done')
      expect(into).toEqual(block(into[0] ?? 0))
      found.push(into[0] ?? 0)
    }
    return found
  }
}

describe('two batches under way', () => {
  it('J5 GC2 what the disk has first is answered, and counts as durable, after what was placed before it', async () => {
    const slow = new Slow()
    const store = await slow.open([10, 1])
    const before = store.position
    await slow.write(1, 0)
    await slow.write(2, 1)
    await slow.pass(5)
    expect(slow.answered).toEqual([])
    expect(store.position).toBe(before)
    await slow.pass(5)
    expect(slow.answered).toEqual([1, 2])
    expect(store.position).toBe(before + 18)
  })

  it('a third waits, and goes with all that came meanwhile', async () => {
    const slow = new Slow()
    const store = await slow.open([10, 10, 10])
    const { commits } = store.commitWork
    for (let i = 1; i <= 6; i += 1) await slow.write(i, i)
    expect(slow.answered).toEqual([])
    await slow.pass(10)
    expect(slow.answered).toEqual([1, 2])
    await slow.pass(10)
    expect(slow.answered).toEqual([1, 2, 3, 4, 5, 6])
    expect(store.commitWork.commits - commits).toBe(3)
  })

  it('a second batch waits until it is half of the first', async () => {
    const slow = new Slow()
    const store = await slow.open([10, 1, 1])
    const { commits } = store.commitWork
    for (let i = 1; i <= 4; i += 1) slow.hand(i, i)
    await slow.pass(1)
    await slow.write(5, 5)
    expect(store.commitWork.commits).toBe(commits)
    await slow.write(6, 6)
    await slow.pass(20)
    expect(slow.answered).toEqual([1, 2, 3, 4, 5, 6])
    expect(store.commitWork.commits - commits).toBe(2)
  })

  it('J5 ST2 with either of them torn, or both, what is left is none, the first, or both', async () => {
    const slow = new Slow()
    await slow.open([10, 10])
    await slow.write(1, 0)
    await slow.write(2, 1)
    const sectors = slow.disk.unsynced().length
    expect(sectors).toBe(18)
    const seen = new Set<string>()
    const look = async (isKept: (sector: number) => boolean) => {
      let sector = 0
      const choose = (choices: number) => (isKept(sector++) ? choices - 1 : 0)
      seen.add((await slow.left(choose, [0, 1])).join())
    }
    for (let odd = 0; odd < sectors; odd += 1) {
      await look((sector) => sector !== odd)
      await look((sector) => sector === odd)
    }
    const prng = new Prng(7)
    for (const chance of [0.5, 0.9, 0.97]) {
      for (let i = 0; i < 40; i += 1) await look(() => prng.chance(chance))
    }
    await look(() => true)
    expect(slow.answered).toEqual([])
    expect([...seen].sort()).toEqual(['0,0', '1,0', '1,2'])
  })

  it('UP1 what is durable of the second, and has not taken effect when a round begins, is not behind the tail', async () => {
    const slow = new Slow({ overlayBytes: 16 * BLOCK_BYTES })
    const store = await slow.open([10, 1])
    await slow.write(1, 0, 9)
    await slow.write(2, 20)
    await slow.pass(50)
    expect(slow.answered).toEqual([1, 2])
    // The first went home as it was applied, since it fills half of the overlay, and a checkpoint followed.
    expect(store.usage().overlayBytes).toBe(BLOCK_BYTES)
    expect(await slow.left(() => 0, [0, 8, 20])).toEqual([1, 1, 2])
  })

  it('GC5 OV2 the second finds only the cells that the first leaves', async () => {
    const slow = new Slow({ overlayBytes: 16 * BLOCK_BYTES })
    const store = await slow.open([10, 10])
    await slow.write(1, 0, 8)
    await slow.write(2, 20, 8)
    await slow.pass(15)
    expect(slow.answered).toEqual([1])
    await slow.pass(50)
    expect(slow.answered).toEqual([1, 2])
    expect(store.failure()).toBeNull()
  })
})
