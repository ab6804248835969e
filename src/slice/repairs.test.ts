import { expect, test } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { lanesInOrder } from '../../test/kit/volume-group.ts'
import { memberId, volumeId } from '../base/ids.ts'
import { RUN_BYTES } from '../base/sizes.ts'
import type { Mended } from './copy-messages.ts'
import { Repairs, type RepairsDeps } from './repairs.ts'

const one = volumeId(1)
const [a, b] = [memberId('a'), memberId('b')]
const RUN_PAGES = RUN_BYTES / 2 ** 20

/** Page 0 is on slice 0, of which b has a copy; the run behind it on slice 1, of which a has the only one; then one where a is none. */
function damaged(...pages: number[]) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const tried: number[] = []
  const answers: Mended[] = []
  const left = new Set(pages)
  const copies = [[a, b], [a], [b, memberId('c')]]
  const slices = copies.map((inSync) => ({ inSync, want: inSync, min: 1 }))
  const volumes = new Map([[one, { id: one, lanes: lanesInOrder(1, 3) }]])
  const repairs = new Repairs({
    ...{ self: a, clock, group: { volumes, slices } as unknown as RepairsDeps['group'] },
    store: {
      damagedPages: () => [...left].map((page) => ({ volume: one, page })),
      lookAtDamaged: async () => {},
      failure: () => null,
    },
    mend: async (_, page) => {
      tried.push(page)
      const answer = answers.shift() ?? 'good'
      if (answer === 'good') left.delete(page)
      return answer
    },
  })
  timeline.after(2_500, () => repairs.start())
  const rounds = (count: number) => timeline.run(timeline.nowMs + count * 5_000)
  return { repairs, tried, answers, rounds }
}

test('RP1 a page is tried until it is whole, one that nobody has behind the others', async () => {
  const { repairs, tried, answers, rounds } = damaged(0, 1, 2)
  answers.push('none', 'later', 'good', 'good')
  await rounds(1)
  expect(tried).toEqual([0, 1, 2])
  expect([0, 1].map((page) => repairs.judge(one, page))).toEqual(['lost', 'mendable'])
  await rounds(1)
  expect(tried).toEqual([0, 1, 2, 1, 0])
  expect(repairs.judge(one, 0)).toBe('mendable')
  repairs.stop()
})

test('RP2 nobody is asked for what only this member has, or where it is not in sync', async () => {
  const { repairs, tried, rounds } = damaged(RUN_PAGES, 2 * RUN_PAGES)
  await rounds(3)
  expect(tried).toEqual([])
  expect(repairs.judge(one, RUN_PAGES)).toBe('lost')
  expect(repairs.judge(one, 2 * RUN_PAGES)).toBe('unused')
  repairs.stop()
})
