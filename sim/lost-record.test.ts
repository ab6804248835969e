import { expect, test, vi } from 'vitest'
import type { Coordinator } from '../src/coordination/coordinator.ts'
import { keys } from '../src/group/record.ts'
import { SimGroup } from './group.ts'
import { LostRecord } from './lost-record.ts'

/** What the judges say if `writer` writes while an older record is in place. */
async function judged(writer: (group: SimGroup) => Coordinator): Promise<readonly string[]> {
  const group = new SimGroup({ seed: 1, print: null })
  const { timeline, coordination, operator } = group
  await group.start()
  const lost = new LostRecord(group)
  await timeline.run(timeline.nowMs + 500)
  const key = keys.volume(group.volume.id)
  const put = [{ key, value: JSON.stringify(group.volume) }]
  const before = coordination.rev
  await timeline.finish(operator.txn({ put }))
  const known = () => group.members.every(({ member }) => (member?.group.rev ?? 0) > before)
  await timeline.until(known, 5_000, 'what all have seen')
  // RK1: and have written down.
  await timeline.run(timeline.nowMs + 1_500)
  vi.spyOn(group.prng, 'chance').mockReturnValue(true)
  const struck = lost.strike()
  await timeline.until(() => coordination.isOlder, 1_000, 'an older record')
  void writer(group).txn({ put })
  await timeline.finish(struck, 10_000)
  expect(group.totals.recordsRefused).toBeGreaterThan(0)
  return group.violations
}

test('LR1 who writes to an older record is found out', async () => {
  const said = await judged(({ coordination }) => coordination.handle('somebody'))
  expect(said.join()).toContain('somebody wrote to the older record')
})

test('S3 LR1 the operator does not: it holds to the record that it knew (seed 60000169)', async () => {
  expect(await judged(({ operator }) => operator)).toEqual([])
})
