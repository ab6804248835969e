import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination } from '../../sim/coordinator.ts'
import { SimDisk } from '../../sim/disk.ts'
import { SimNet } from '../../sim/net.ts'
import { Timeline } from '../../sim/timeline.ts'
import { memberId, revision } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import { openSeen, writeCopy, writeSeen } from '../coordination/record-copy.ts'
import { keys } from '../group/record.ts'
import { storeDefaults } from '../store/settings.ts'
import { boundsDefaults } from '../target/memory-bounds.ts'
import type { MemberSettings } from './member-settings.ts'
import { openGroup, RecordRefused } from './record-check.ts'

const settings: MemberSettings = {
  memberId: memberId('m1'),
  groupName: 'lab',
  founders: [memberId('m1')],
  slices: 3,
  namingAuthority: 'iqn.2026-11.dev.evenkeel',
  portal: { kind: 'tcp', host: 'm1', port: 1 },
  peer: { kind: 'tcp', host: 'm1', port: 2 },
  api: '',
  groupAddress: null,
  bounds: boundsDefaults,
  store: storeDefaults,
}

function bench(more: Partial<MemberSettings> = {}) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const coordination = new SimCoordination(clock, new Prng(7))
  const net = new SimNet(timeline, new Prng(8), { spikeOneIn: 0 }).host('m1', clock)
  let ids = 0
  const newId = () => {
    ids += 1
    return `id-${ids}`
  }
  const disk = new SimDisk(clock)
  const open = () => {
    const coordinator = coordination.handle('m1')
    return timeline.finish(
      openGroup({ clock, net, disk, coordinator, newId }, { ...settings, ...more }),
    )
  }
  return { timeline, coordination, disk, open }
}

it('a new folder founds the group', async () => {
  const { open } = bench()
  const view = await open()
  expect(view.group).toMatchObject({ name: 'lab', lineage: [] })
  expect(view.group.incarnation).not.toBe(view.group.groupId)
  expect(view.slices).toHaveLength(3)
  expect(view.slices[0]).toMatchObject({ want: ['m1'], min: 1 })
})

it('a group is founded with as many copies as its founder is told, and keeps them', async () => {
  const founders = ['m1', 'm2', 'm3'].map(memberId)
  const { open } = bench({ founders, copies: 3 })
  for (const view of [await open(), await open()]) {
    expect(view.slices.map(({ inSync, min }) => [inSync.length, min])).toEqual(
      view.slices.map(() => [3, 2]),
    )
  }
})

for (const file of ['super', 'seen', 'record']) {
  it(`RC1 a folder with a file '${file}' founds none`, async () => {
    const { timeline, coordination, disk, open } = bench()
    await timeline.finish(disk.open(file, 'create'))
    await expect(open()).rejects.toThrow(RecordRefused)
    await expect(open()).rejects.toThrow(/holds no group, .*evenkeel recover/)
    expect(coordination.rev).toBe(0)
  })
}

it('RC2 a record that is older than what was seen is refused, whichever file says so', async () => {
  const { timeline, coordination, disk, open } = bench()
  const { group, rev } = await open()
  const image = coordination.image()
  const { groupId, incarnation } = group
  const seen = (at: number) => ({ groupId, incarnation, revision: revision(at) })
  const file = await timeline.finish(openSeen(disk))
  await timeline.finish(writeSeen(file, seen(rev), 0))
  expect((await open()).rev).toBe(rev)
  await timeline.finish(writeSeen(file, seen(rev + 1), 1))
  await expect(open()).rejects.toThrow(/an older one: .*evenkeel recover/)
  coordination.restore({ rev: revision(rev + 1), items: image.items })
  expect((await open()).rev).toBe(rev + 1)
  await timeline.finish(writeCopy(disk, { ...seen(rev + 2), memberId: memberId('m1'), items: [] }))
  await expect(open()).rejects.toThrow(/an older one/)
  const other = image.items.map((item) =>
    item.key === keys.group
      ? { ...item, value: JSON.stringify({ ...group, incarnation: 'x' }) }
      : item,
  )
  coordination.restore({ rev: revision(2 ** 32), items: other })
  await expect(open()).rejects.toThrow(/another life of the group: .*evenkeel recover/)
})
