import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import { block, settings, World, write } from '../../test/kit/store-world.ts'
import { volumeId } from '../base/ids.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import { ColdReads } from './cold-reads.ts'
import { PageStore } from './page-store.ts'

it('CR2 volumes are served in turn, however much is asked of one', async () => {
  const reads = new ColdReads()
  const begun: number[] = []
  const ask = (volume: number) =>
    void reads.begun(volumeId(volume)).then(() => {
      begun.push(volume)
    })
  for (let i = 0; i < 7; i += 1) ask(1)
  for (const volume of [2, 3, 2]) ask(volume)
  const next = async () => {
    reads.ended()
    await Promise.resolve()
    await Promise.resolve()
  }
  for (let i = 0; i < 6; i += 1) await next()
  expect(begun).toEqual([1, 1, 1, 1, 1, 2, 3, 1, 2, 1])
})

it('CR1 four cold reads are under way, whatever is asked for, and all are answered', async () => {
  const { timeline } = new World()
  const clock = new SimClock(timeline)
  const disk = new SimDisk(clock)
  const open = () => timeline.finish(PageStore.open(disk, clock, { ...settings, cachedPages: 32 }))
  const before = await open()
  for (let page = 0; page < 12; page += 1) {
    await timeline.finish(before.write(write(1, page * PAGE_BYTES, block(page + 1))))
  }
  await timeline.finish(before.close())
  const store = await open()
  let reads = 0
  disk.faults.fail = (operation) => {
    if (operation === 'read') reads += 1
    return null
  }
  disk.faults.latencyMs = () => 5
  const into = Array.from({ length: 12 }, () => block(0))
  const answers = into.map((one, page) => store.read(volumeId(1), page * PAGE_BYTES, one))
  await timeline.run(timeline.nowMs)
  expect(reads).toBe(4)
  expect(await timeline.finish(Promise.all(answers))).toEqual(answers.map(() => 'done'))
  expect(into).toEqual(into.map((_, page) => block(page + 1)))
})
