import { describe, expect, it } from 'vitest'
import { epoch, memberId, revision, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { DEFAULT_AUTHORITY } from './founding.ts'
import { type GroupRecord, isDurable, keys, RECORD_FORMAT } from './record.ts'
import { refuseOlder, refuseRecord } from './seen.ts'
import { volumeCounterKey } from './volumes.ts'

const group: GroupRecord = {
  format: RECORD_FORMAT,
  name: 'lab',
  groupId: 'g',
  incarnation: 'now',
  lineage: [
    { incarnation: 'first', endedAt: revision(50) },
    { incarnation: 'second', endedAt: revision(2 ** 32 + 7) },
  ],
  slices: 1,
  namingAuthority: DEFAULT_AUTHORITY,
}
const NOW = revision(2 ** 33 + 10)
const seen = (incarnation: string, at: number, groupId = 'g') =>
  refuseOlder(group, NOW, { groupId, incarnation, revision: revision(at) })

describe('refuseOlder', () => {
  it('G24 what was seen, or less, is gone on with', () => {
    for (const at of [1, 2 ** 33, 2 ** 33 + 10]) expect(seen('now', at)).toBeNull()
  })

  it('G24 a record that is older than what was seen is refused with both revisions and what to do', () => {
    expect(seen('now', 2 ** 33 + 11)).toMatch(
      /an older one: it is at revision 8589934602, and .* seen revision 8589934603\..*evenkeel recover/,
    )
  })

  it('G24 an earlier incarnation may have been seen up to where it ended', () => {
    expect(seen('first', 50)).toBeNull()
    expect(seen('second', 2 ** 32 + 7)).toBeNull()
    expect(seen('first', 51)).toMatch(/ended at revision 50, .* seen revision 51\..*evenkeel reco/)
  })

  it('G24 an incarnation that is not in the lineage is refused', () => {
    expect(seen('other', 1)).toMatch(/another life of the group: .*evenkeel recover/)
  })

  it('another group is the superblock’s matter', () => {
    expect(seen('other', 1, 'another')).toBeNull()
  })
})

describe('refuseRecord', () => {
  const store = {
    groupId: 'g',
    session: sessionId(12),
    volume: volumeId(4),
    epochs: new Map([[sliceId(2), epoch(4)]]),
    written: new Map([[sliceId(2), epoch(2)]]),
  }
  const epochs = new Map([[sliceId(2), epoch(3)]])
  const judged = (rev: number, last: number, who?: string) =>
    refuseRecord(
      { group, epochs, rev: revision(rev), volumeId: volumeId(last) },
      { seen: null, store },
      who,
    )

  it('G26 a record that has not come to a session whose writes were carried out is refused', () => {
    expect(judged(12, 4)).toBeNull()
    expect(judged(11, 4)).toMatch(
      /an older one: it is at revision 11, and this member .* writes of session 12\..*evenkeel recover/,
    )
  })

  it('G26 nor one that has not come to a volume of which there are pages', () => {
    expect(judged(12, 3, 'm3')).toMatch(
      /an older one: .* has id 3, and m3 has pages of volume 4\..*evenkeel recover/,
    )
  })

  it('G26 nor one whose epochs are two behind what the store has promised', () => {
    const met = { group, rev: revision(12), volumeId: volumeId(4) }
    const at = (count: number) =>
      refuseRecord(
        { ...met, epochs: new Map([[sliceId(2), epoch(count)]]) },
        { seen: null, store },
        'm1',
      )
    for (const count of [5, 4, 3]) expect(at(count)).toBeNull()
    expect(at(2)).toMatch(
      /older one: slice 2 has epoch 2 there, and m1 was about to raise it to 4\..*evenkeel recover/,
    )
  })

  it('G26 nor one that has not come to an epoch under which the store has a change: it would be given twice', () => {
    const met = { group, rev: revision(12), volumeId: volumeId(4), epochs }
    const written = new Map([[sliceId(2), epoch(4)]])
    expect(refuseRecord(met, { seen: null, store: { ...store, written } }, 'm1')).toMatch(
      /older one: slice 2 has epoch 3 there, and m1 has carried out writes under epoch 4\..*evenkeel recover/,
    )
    const raised = { ...met, epochs: written }
    expect(refuseRecord(raised, { seen: null, store: { ...store, written } })).toBeNull()
  })

  it('G28 what was seen and what the store knows count alike; a folder without either says nothing', () => {
    const met = { group, epochs, rev: revision(12), volumeId: volumeId(4) }
    expect(refuseRecord(met, { seen: null, store: null })).toBeNull()
    const newer = { groupId: 'g', incarnation: 'now', revision: revision(13) }
    expect(refuseRecord(met, { seen: newer, store: null }, 'm2')).toMatch(/m2 has seen revision 13/)
    expect(refuseRecord(met, { seen: { ...newer, revision: revision(12) }, store })).toBeNull()
  })

  it('another group is the superblock’s matter', () => {
    const other = { ...store, groupId: 'another' }
    expect(
      refuseRecord(
        { group, epochs, rev: revision(1), volumeId: volumeId(0) },
        { seen: null, store: other },
      ),
    ).toBeNull()
  })
})

it('what is copied is what does not end with the file', () => {
  const lasting = [
    keys.group,
    keys.member(memberId('m1')),
    keys.volume(volumeId(1)),
    keys.volumeName('a'),
    keys.slice(sliceId(0)),
    keys.policy,
    volumeCounterKey,
  ]
  const ending = [
    keys.session(volumeId(1), 'iqn.x', 't'),
    keys.isid(volumeId(1), 'iqn.x', '00023d000001'),
    keys.claim(volumeId(1)),
    keys.move('m'),
  ]
  expect(lasting.filter(isDurable)).toEqual(lasting)
  expect(ending.filter(isDurable)).toEqual([])
})
