import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination } from '../../sim/coordinator.ts'
import { SimDisk } from '../../sim/disk.ts'
import { Timeline } from '../../sim/timeline.ts'
import { DiskError } from '../base/disk.ts'
import { memberId, revision, volumeId } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import { decodeText, encodeText } from '../base/text.ts'
import { foundGroup, startMember } from '../group/founding.ts'
import { type GroupRecord, keys, RECORD_FORMAT } from '../group/record.ts'
import { createSession } from '../group/sessions.ts'
import { GroupView } from './group-view.ts'
import { paths, readCopy, readSeen } from './record-copy.ts'
import { RecordKeeper } from './record-keeper.ts'
import { seal, unseal } from './sealed.ts'

const group: GroupRecord = {
  format: RECORD_FORMAT,
  name: 'lab',
  groupId: '8a1f',
  incarnation: '52c0',
  lineage: [],
  slices: 4,
  namingAuthority: 'iqn.2026-11.dev.evenkeel',
}
const member = { id: memberId('m1'), bootId: 'b', portal: 'h:1', peer: 'h:2', api: '' }
const who = { owner: memberId('m1'), isid: '00023d000001', source: 's', loginToken: 't', at: '' }
const EVERY_MS = 500

async function bench(seed = 1) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const coordination = new SimCoordination(clock, new Prng(seed))
  const coordinator = coordination.handle('m1')
  const done = async (change: Parameters<typeof coordinator.txn>[0]) => {
    const result = await timeline.finish(coordinator.txn(change))
    if (result.kind !== 'done') throw new Error(result.kind)
    return result.rev
  }
  for (const change of foundGroup(group, [memberId('m1'), memberId('m2')])) await done(change)
  const view = await timeline.finish(GroupView.open(coordinator, clock))
  const disk = new SimDisk(clock)
  const start = () =>
    timeline.finish(
      RecordKeeper.start({ self: memberId('m1'), disk, clock, coordinator, group: view }),
    )
  const seen = () => timeline.finish(readSeen(disk))
  const copy = () => timeline.finish(readCopy(disk))
  return { timeline, clock, coordination, done, view, disk, start, seen, copy }
}

describe('RecordKeeper', () => {
  it('RK1 what was seen is on the disk soon after it came, and nothing is written while nothing comes', async () => {
    const { timeline, coordination, done, disk, start, seen } = await bench()
    await start()
    expect(await seen()).toEqual({ groupId: '8a1f', incarnation: '52c0', revision: 2 })
    await timeline.run(timeline.nowMs + 10_000)
    const { operations } = disk
    await timeline.run(timeline.nowMs + 60_000)
    expect(disk.operations).toBe(operations)
    for (let n = 0; n < 5; n += 1) {
      await done(
        createSession({
          ...who,
          loginToken: `t${n}`,
          isid: `00023d00000${n}`,
          volume: volumeId(1),
          initiator: 'iqn.x:i',
        }),
      )
    }
    await timeline.run(timeline.nowMs + EVERY_MS + 10)
    expect((await seen())?.revision).toBe(coordination.rev)
  })

  it('RK1 RK2 a power cut at any of its writes leaves what it had said, or more', async () => {
    for (let at = 1; at < 16; at += 1) {
      const { timeline, done, disk, start, seen, copy } = await bench(at)
      const keeper = await start()
      const before = await seen()
      void disk.cutAfter(at)
      const rev = await done(startMember(null, member))
      void keeper.written(rev)
      await timeline.run(timeline.nowMs + 2_000)
      const prng = new Prng(at)
      disk.crash((choices) => prng.integer(0, choices - 1))
      expect((await seen())?.revision).toBeGreaterThanOrEqual(before?.revision ?? 0)
      expect((await copy())?.revision).toBeGreaterThanOrEqual(before?.revision ?? 0)
    }
  })

  it('RK2 the copy is of one instant, and holds what is durable and nothing else', async () => {
    const { timeline, coordination, done, start, copy } = await bench()
    await start()
    await done(createSession({ ...who, volume: volumeId(1), initiator: 'iqn.x:i' }))
    const rev = await done(startMember(null, member))
    await timeline.run(timeline.nowMs + EVERY_MS + 10)
    const kept = await copy()
    expect(kept).toMatchObject({
      groupId: '8a1f',
      incarnation: '52c0',
      revision: rev,
      memberId: memberId('m1'),
    })
    const durable = coordination
      .inspect('')
      .filter(({ key }) => !key.startsWith('session/') && !key.startsWith('isid/'))
    const byKey = ([a]: readonly string[], [b]: readonly string[]) =>
      (a ?? '') < (b ?? '') ? -1 : 1
    expect(kept?.items.toSorted(byKey)).toEqual(durable.map(({ key, value }) => [key, value]))
  })

  it('RK2 a coordinator that is gone leaves the copy as it was', async () => {
    const { timeline, coordination, done, start, copy, seen } = await bench()
    const keeper = await start()
    const rev = await done(startMember(null, member))
    expect(await timeline.finish(keeper.written(rev))).toBe(true)
    const image = coordination.image()
    coordination.lose()
    expect(await timeline.finish(keeper.written(revision(rev + 1)))).toBe(false)
    coordination.restore({ rev: revision(1), items: image.items.slice(0, 1) })
    await timeline.run(timeline.nowMs + 5_000)
    expect((await copy())?.revision).toBe(rev)
    expect((await seen())?.revision).toBe(rev)
  })

  it('RK3 who waits has it on the disk at once, also after a power cut', async () => {
    const { timeline, done, disk, start, copy } = await bench()
    const keeper = await start()
    const rev = await done(startMember(null, member))
    expect(await timeline.finish(keeper.written(rev))).toBe(true)
    disk.crash(() => 0)
    const kept = await copy()
    expect(kept?.revision).toBe(rev)
    expect(kept?.items.map(([key]) => key)).toContain(keys.member(memberId('m1')))
  })

  it('RK3 a coordinator that does not answer for a while is waited for', async () => {
    const { timeline, coordination, done, start, copy } = await bench()
    const keeper = await start()
    const rev = await done(startMember(null, member))
    coordination.down(3_000)
    expect(await timeline.finish(keeper.written(rev))).toBe(true)
    expect((await copy())?.revision).toBe(rev)
  })

  it('RK4 a full disk is told and got over; any other error ends the member', async () => {
    const { timeline, done, disk, start, copy } = await bench()
    const keeper = await start()
    disk.faults.fail = (operation) =>
      operation === 'write' ? new DiskError('FULL', 'no space') : null
    const rev = await done(startMember(null, member))
    expect(await timeline.finish(keeper.written(rev))).toBe(false)
    expect(keeper.trouble).toMatch(/copy of the group record cannot be written: no space/)
    disk.faults.fail = null
    await timeline.until(() => keeper.trouble === null, 5_000, 'the copy')
    expect((await copy())?.revision).toBe(rev)
    disk.faults.fail = (operation) => (operation === 'sync' ? new DiskError('IO', 'bad') : null)
    await done(
      startMember(
        { key: keys.member(memberId('m1')), rev, record: { ...member, draining: false } },
        member,
      ),
    )
    expect(await timeline.finish(keeper.failed)).toMatch(/bad/)
  })

  it('a keeper that is closed has written everything', async () => {
    const { timeline, done, start, seen, view, coordination } = await bench()
    const keeper = await start()
    await done(createSession({ ...who, volume: volumeId(1), initiator: 'iqn.x:i' }))
    await timeline.until(() => view.rev === coordination.rev, 1_000, 'the view')
    await timeline.finish(keeper.close())
    expect((await seen())?.revision).toBe(coordination.rev)
  })
})

describe('sealed files', () => {
  const sealed = seal('evenkeel-seen', { groupId: '8a1f', incarnation: '52c0', revision: 57 })

  it('are as DESIGN.md shows them', async () => {
    const design = await readFile(new URL('./DESIGN.md', import.meta.url), 'utf8')
    expect(design).toContain(decodeText(sealed))
  })

  it('a flipped bit, a missing end or another kind are noticed', () => {
    expect(unseal('evenkeel-seen', sealed)).toMatchObject({ revision: 57 })
    expect(unseal('evenkeel-record', sealed)).toBeNull()
    const padded = new Uint8Array(512)
    padded.set(sealed)
    expect(unseal('evenkeel-seen', padded)).toMatchObject({ revision: 57 })
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const bad = sealed.slice()
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit % 8))
      expect(unseal('evenkeel-seen', bad)).toBeNull()
    }
    for (let length = 0; length < sealed.length; length += 1) {
      expect(unseal('evenkeel-seen', sealed.subarray(0, length))).toBeNull()
    }
    expect(unseal('evenkeel-seen', encodeText('nothing of ours\n'))).toBeNull()
  })

  it('of two places the newest whole one counts', async () => {
    const { timeline, done, disk, start, seen } = await bench()
    await start()
    await done(createSession({ ...who, volume: volumeId(1), initiator: 'iqn.x:i' }))
    await timeline.run(timeline.nowMs + EVERY_MS + 10)
    expect((await seen())?.revision).toBe(3)
    disk.flip(paths.seen, 8 * (512 + 40))
    expect((await seen())?.revision).toBe(2)
  })
})
