// What the operator is told of a volume is so, and stays so.

import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { startGroup } from '../../test/kit/sim-group.ts'
import { DiskError } from '../base/disk.ts'
import { memberId } from '../base/ids.ts'
import { readCopy } from '../coordination/record-copy.ts'
import { keys } from '../group/record.ts'
import { summaryOf } from './condition.fixture.ts'
import { VolumeDesk } from './volume-desk.ts'

const request = { name: 'kept', bytes: 2 ** 30, blockBytes: 512, shared: true } as const

async function scene(seed: number) {
  const { group, timeline } = await startGroup(seed, true)
  const at = group.member(memberId('m2'))
  if (at.member === null) throw new Error('the member is down')
  const desk = new VolumeDesk(at.member, async () => new Map())
  const create = () => timeline.finish(desk.create(request))
  const rename = () => timeline.finish(desk.change('kept', { name: 'held' }))
  const remove = () => timeline.finish(desk.delete('held'))
  const names = async () =>
    (await timeline.finish(readCopy(at.disk.clone())))?.items
      .filter(([key]) => key.startsWith(keys.volumeName('')))
      .map(([key]) => key)
  return { at, group, timeline, create, rename, remove, names }
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

it('RT1 a change is refused before its caller gives up waiting, while the coordinator does not answer', async () => {
  const { at, group, timeline, create, rename } = await scene(43)
  expect(await create()).toMatchObject({ kind: 'done' })
  group.coordination.cut(at.id, 'drop')
  const beganMs = timeline.nowMs
  expect(await rename()).toMatchObject({ kind: 'refused', code: 'coordinatorDown' })
  expect(timeline.nowMs - beganMs).toBeLessThan(8_000)
  group.coordination.heal(at.id)
  expect(await rename()).toMatchObject({ kind: 'done', value: { name: 'held' } })
})

/** A desk whose coordinator loses the answer to the first change of names. */
async function forgetfulScene(seed: number) {
  const plain = await scene(seed)
  const { member } = plain.at
  if (member === null) throw new Error('the member is down')
  const { group, keeper, portal, ports } = member
  const { coordinator } = ports
  let lost = 0
  const txn: typeof coordinator.txn = async (transaction) => {
    const result = await coordinator.txn(transaction)
    const isName = (key: string) => key.startsWith(keys.volumeName(''))
    const isLost =
      transaction.put?.some(({ key }) => isName(key)) || transaction.remove?.some(isName)
    if (isLost !== true || lost > 0) return result
    lost += 1
    return { kind: 'unknown', reason: 'the answer was lost' }
  }
  const forgetful: typeof coordinator = {
    txn,
    list: (prefix) => coordinator.list(prefix),
    watch: (prefix, afterRev) => coordinator.watch(prefix, afterRev),
    nudge: () => coordinator.nudge(),
    close: () => coordinator.close(),
    lost: null,
  }
  const shown = { ...member, group, keeper, portal, ports: { ...ports, coordinator: forgetful } }
  return { ...plain, desk: new VolumeDesk(shown, async () => new Map()), lost: () => lost }
}

it('VD2 a volume whose making was not answered is found to be the own one, and told as made', async () => {
  const { timeline, create, desk, lost } = await forgetfulScene(44)
  expect(await timeline.finish(desk.create(request))).toMatchObject({
    kind: 'done',
    value: { name: 'kept' },
  })
  expect(lost()).toBe(1)
  expect(await create()).toMatchObject({ kind: 'refused', code: 'volumeExists' })
})

it('VD2 a volume whose deletion was not answered, and that is gone, is told as deleted', async () => {
  const { timeline, create, desk, lost } = await forgetfulScene(45)
  await create()
  const deleted = timeline.finish(desk.delete('kept'))
  expect(await deleted).toMatchObject({ kind: 'done', value: { name: 'kept' } })
  expect(lost()).toBe(1)
  const again = timeline.finish(desk.delete('kept'))
  expect(await again).toMatchObject({ kind: 'refused', code: 'volumeNotFound' })
})

it('VD3 what another member has just made is there, though this one has not heard of it yet', async () => {
  const { group, timeline, create } = await scene(46)
  const { member } = group.member(memberId('m1'))
  if (member === null) throw new Error('the member is down')
  group.coordination.cut(memberId('m1'), 'hold')
  expect(await create()).toMatchObject({ kind: 'done' })
  expect([...member.group.volumes.values()].map(({ name }) => name)).not.toContain('kept')
  new SimClock(timeline).after(200, () => group.coordination.heal(memberId('m1')))
  const shown = await timeline.finish(new VolumeDesk(member, async () => new Map()).show('kept'))
  expect(shown).toMatchObject({ kind: 'done', value: { name: 'kept' } })
})

it('what a volume takes is the sum of all members that answered, and those that did not are named', async () => {
  const { at, timeline, create } = await scene(48)
  expect(await create()).toMatchObject({ kind: 'done' })
  const { member } = at
  if (member === null) throw new Error('the member is down')
  const told = new Map(['m1', 'm2'].map((id) => [id, summaryOf(id)]))
  const desk = new VolumeDesk(member, async () => told)
  const [first] = await timeline.finish(desk.listWithUsage())
  expect(first?.usage).toEqual({ bytes: 8192, takenBytes: 2 * 1024 ** 2, silent: ['m3'] })
})
