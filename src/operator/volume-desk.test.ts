// What the operator is told of a volume is so, and stays so.
import { expect, it } from 'vitest'
import { DiskError } from '../base/disk.ts'
import { readCopy } from '../coordination/record-copy.ts'
import { keys } from '../group/record.ts'
import { startGroup } from '../target/group.fixture.ts'
import { VolumeDesk } from './volume-desk.ts'

const request = { name: 'kept', bytes: 2 ** 30, blockBytes: 512, shared: true } as const

async function scene(seed: number) {
  const { group, timeline } = await startGroup(seed, true)
  const at = group.member('m2')
  if (at.member === null) throw new Error('the member is down')
  const desk = new VolumeDesk(at.member, async () => new Map())
  const create = () => timeline.finish(desk.create(request))
  const rename = () => timeline.finish(desk.change('kept', { name: 'held' }))
  const remove = () => timeline.finish(desk.delete('held'))
  const names = async () =>
    (await timeline.finish(readCopy(at.disk.clone())))?.items
      .filter(([key]) => key.startsWith(keys.volumeName('')))
      .map(([key]) => key)
  return { at, create, rename, remove, names }
}

it('VD1 a volume that is told to be made, renamed, or deleted, is so in the copy on the disk, also after a power cut', async () => {
  const { at, create, rename, remove, names } = await scene(41)
  expect(await create()).toMatchObject({ kind: 'done', value: { name: 'kept' } })
  expect(await names()).toContain(keys.volumeName('kept'))
  expect(await rename()).toMatchObject({ kind: 'done', value: { name: 'held' } })
  expect(await names()).toContain(keys.volumeName('held'))
  expect(await remove()).toMatchObject({ kind: 'done' })
  at.crash('power')
  expect(await names()).not.toContain(keys.volumeName('held'))
})

it('VD1 a copy that cannot be written is told, with what to do', async () => {
  const { at, create } = await scene(42)
  at.disk.faults.fail = (operation, path) =>
    operation === 'write' && path.startsWith('record') ? new DiskError('FULL', 'no space') : null
  expect(await create()).toMatchObject({ kind: 'refused', code: 'recordNotKept' })
})
