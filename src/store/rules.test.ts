// Each rule of the store is taken out of a copy of the source; the power cuts, or the test of the rule, must notice.
import { beforeAll, describe, expect, it } from 'vitest'
import { type MutationRun, runRoom } from '../../sim/mutations/apply.ts'
import { loadMutations } from '../../sim/mutations/mutation.ts'

const rules: Readonly<Record<string, string>> = {
  'GC1 J1 nothing is answered before the disk has it on stable media': 'commit-without-sync',
  'HW1 nothing goes home before the journal has it': 'home-before-journal',
  'J3 a batch ends where the ring ends': 'batch-over-the-end',
  'ST2 the records of a write are replayed together or not at all': 'part-of-a-write',
  'ST5 remembered operations are in the checkpoint': 'operation-not-in-checkpoint',
  'CK1 the newest durable checkpoint is not overwritten': 'checkpoint-in-place',
  'HW2 CK2 slots are synced before the table and the checkpoint say so': 'no-home-sync',
  'SH1 HW3 the header copy that the index names is not overwritten': 'header-in-place',
  'SH2 a header newer than the checkpoint is the base of recovery': 'exact-version-forgotten',
  'SL1 UP2 a released slot waits for a checkpoint without it': 'free-slots-early',
  'J2 UP1 the tail waits until changes have taken effect and are home': 'tail-from-durable',
  'RC2 recovery skips a whole ring of positions': 'no-ring-skip',
  'a record counts only if its payload is whole': 'no-payload-checksum',
  'the superblock appears when the folder is complete': 'superblock-first',
  'the name of a segment is durable before pages are at home in it': 'no-segment-name-sync',
  'HW4 a page for which the disk has no room stays in the overlay': 'homeless-forgotten',
  'HW7 each header that goes home with others has a place of its own': 'headers-in-one-place',
  'HW2 HW7 a round waits for what it handed to the disk': 'lane-reused-early',
  'J5 a batch is durable when those before it are': 'batches-out-of-order',
  'J5 no record proves a batch that is under way': 'open-batch-proven',
  'GC5 a batch under way keeps its part of the overlay': 'cells-of-the-open-batch',
  'GC6 what is refused takes what waits behind it of its slice with it': 'refused-alone',
  'RO1 what was answered is counted before it is home': 'answered-takes-no-room',
  'RO5 room that was promised to a write is kept for it': 'promised-room-again',
  'ST9 an unmap looks for what is on its way, too': 'unmap-overtakes',
  'HO1 a block that was written home is renewed in memory': 'written-stays-cached',
  'HO1 a block that was unmapped is not in memory any more': 'unmapped-stays-cached',
  'HO2 nothing is in memory of a slot that a page left': 'released-stays-cached',
  'UP3 the tail waits for what the disk has no room for': 'tail-past-the-homeless',
  'ST10 a page that is at home has the stamp of what was written there': 'stamp-not-home',
  'ST10 the newest change counts, whatever became durable first': 'older-stamp-wins',
  'ST10 the stamps of pages are in the checkpoint': 'stamp-not-in-checkpoint',
  'PG3 a page that is unmapped whole leaves its stamp': 'tombstone-not-left',
  'PG3 tombstones are in the checkpoint': 'tombstone-not-in-checkpoint',
  'SI1 a tombstone that is listed no more is folded into its slice': 'tombstone-not-folded',
  'ST11 records carry what is acknowledged': 'acknowledged-forgotten',
  'RD4 a page that goes while it is brought into the page cache is not read on':
    'closed-under-a-read',
  'SL5 nobody waits for what is still being read of a segment that is unlinked':
    'waits-for-readers',
  'CR1 reads that wait for the medium are bounded': 'cold-reads-unbounded',
  'HC1 RD6 blocks that were wrongly believed hot tell of all that was used no later':
    'wrong-belief-kept',
  'HC2 what was doubted for its age is tried again': 'doubted-for-good',
  'HC2 each try that waited makes them four times as seldom': 'tried-all-the-time',
  'PG4 a run of a volume that is dropped is not folded beside the drop': 'dropped-run-folded',
  'PG5 a slice that was dropped is gone after a cut, too': 'slice-drop-not-replayed',
  'PG5 of a slice that is dropped no operation is remembered': 'slice-drop-remembers',
  'PG5 what is written to a dropped slice gets a place of its own': 'dropped-run-found',
  'SI2 of a slice that is dropped nothing is folded': 'slice-drop-keeps-folded',
  'SI2 the epoch under which a slice was dropped is known': 'slice-drop-unknown',
  'PG2 what is still to be taken of a dropped slice is in no checkpoint':
    'dropped-slice-in-checkpoint',
  'PG4 a run that the drop of its volume takes is not taken by that of its slice':
    'run-dropped-twice',
  'PG6 of a run that goes while one looks nothing is told': 'gone-run-told',
  'PG7 an installed page has the stamp that it was given, also a lower one': 'install-keeps-stamp',
  'PG7 nothing is left of what an installed page takes the place of': 'install-over-the-old',
  'PG7 a page that was lost is lost no more once it is installed': 'install-stays-lost',
  'PG7 an installed page clears what was there at replay, too': 'install-not-replayed',
  'PC1 a copy of a page is of one instant': 'copy-of-two-moments',
  'PC2 a page of which a block is damaged is no copy': 'damaged-page-copied',
  'PC3 only parts of the same stamp are united': 'parts-of-two-stamps',
  'PC3 of united parts each block is as one has it that has not lost it':
    'part-taken-from-the-lost',
  'PG7 a page that is installed is damaged no more': 'mended-stays-damaged',
  'RO6 an installed page needs all of its room': 'install-without-room',
  'ST12 operations that were adopted are remembered after a cut': 'adopted-not-replayed',
  'ST12 operations that take the place of what is known end it': 'adopted-besides',
  'SD1 the digest of a slice does not depend on the order of its pages': 'digest-by-order',
  'SD2 pages of other stamps have another digest': 'digest-without-stamps',
  'SD2 who has folded a tombstone has the same pages as who has not': 'folded-tombstone-differs',
  'SC1 scrubbing looks at pages whose header is in memory, too': 'scrub-from-memory',
  'SC2 scrubbing judges what the table still names after the read': 'scrub-judges-changed',
  'SC2 scrubbing passes by blocks that something newer covers': 'scrub-judges-covered',
  'SC3 scrubbing rests longer beside foreground I/O': 'scrub-never-rests',
  'SC4 what is kept of a pass never says more than what was read': 'scrub-kept-early',
  'SC5 what is known to be damaged is so after a restart': 'scrub-forgets',
  'DW1 a direct write is durable when its bytes are': 'direct-bytes-not-awaited',
  'DW1 a record that nothing proves counts only if its bytes are there': 'direct-bytes-not-judged',
  'DW2 a block of a direct slot is written once': 'direct-block-twice',
  'DW3 what takes the place of bytes proves their record': 'direct-overtaken',
  'DW4 a round begins when nothing is on its way to a slot': 'direct-beside-a-round',
  'DW5 a page moves in a round that leaves nothing behind': 'direct-moves-too-soon',
  'DW6 a direct slot is released when its records are behind the tail': 'direct-slot-free-early',
  'DW7 a direct slot has been written whole before': 'direct-slot-not-whole',
  'DW8 no direct slot is taken without room for whole slots': 'direct-without-room',
  'DW7 a slot of which the header was lost is not known to be whole': 'holed-slot-warm',
  'DW9 a write that cannot go straight into slots as a whole takes none': 'direct-slot-unused',
  'DW9 of a batch three writes to slots are under way at most': 'direct-takes-all-threads',
  'HW10 blocks that the disk does not give at recovery are told': 'recovery-loses-in-silence',
  'RC1 recovery takes no slot of which a record tells': 'direct-slot-not-adopted',
  'HW9 recovery writes to no direct slot': 'recovery-into-direct-slot',
  'ID6 the layers of all records are judged before anything is replayed': 'layers-judged-late',
}

const names = (await loadMutations('store')).map(({ name }) => name)
let runs: readonly MutationRun[]

it('the table names every mutation', () => {
  expect(Object.values(rules).sort()).toEqual(names)
})

describe('without it, that is noticed:', () => {
  beforeAll(async () => {
    runs = await runRoom('store', 'sim/power-cuts.ts', ['--seeds', '200', '--stop-first'])
  }, 1_200_000)

  it.each(Object.entries(rules))('%s', (_, name) => {
    const run = runs.find(({ mutation }) => mutation.name === name)
    expect(run?.outcome, run?.output).toBe('killed')
  })
})
