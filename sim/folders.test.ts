// When a member may be given an older copy of its data folder (folders.ts).
import { expect, test } from 'vitest'
import { Prng } from '../src/base/prng.ts'
import { FolderFaults } from './folders.ts'
import { SimGroup } from './group.ts'

/** All copies are made file by file: such a copy must not be used, however new it is. */
class Certain extends Prng {
  override chance(): boolean {
    return true
  }
}

async function groupWithCopies() {
  const group = new SimGroup({ seed: 1, print: null })
  const { timeline } = group
  await group.start()
  const serve = () => group.members.every(({ member }) => member?.slices.isServing === true)
  await timeline.until(serve, 30_000, 'serving')
  const faults = new FolderFaults(group, new Certain(1), (ms, f) => timeline.after(ms, f))
  faults.copyAll()
  await timeline.run(timeline.nowMs + 2_000)
  return { group, faults }
}

test('SF1 a copy of a folder that is open is given to its member, which refuses it', async () => {
  const { group, faults } = await groupWithCopies()
  faults.strike('older folder')
  expect(group.members.filter(({ hasAnother }) => hasAnother)).toHaveLength(1)
  await group.timeline.run(group.timeline.nowMs + 4_000)
  expect(group.totals.foldersRefused).toBe(1)
  expect(group.violations).toEqual([])
})

test('SF1 no copy is given to a member while its word that its folder is closed is on the way', async () => {
  const { group, faults } = await groupWithCopies()
  const { timeline, coordination, members } = group
  // What they say at last is kept back until one of them, if any, has another folder.
  for (const { id } of group.members) coordination.cut(id, 'hold')
  for (const member of members) member.stop(100)
  await timeline.run(timeline.nowMs + 900)
  faults.strike('older folder')
  await timeline.run(timeline.nowMs + 10)
  for (const { id } of group.members) coordination.heal(id)
  await timeline.run(timeline.nowMs + 4_000)
  expect(group.violations).toEqual([])
  expect(group.totals.crashes).toBe(0)
})
