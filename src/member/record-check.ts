// Which group a member belongs to, before it opens its store: founded if there is none and its folder is new, refused if the
// record is not the one that its folder knows.
//
// Invariants:
//   RC1. A member whose folder belongs to a group never founds one.
//   RC2. Nothing of the folder is touched unless the record is what came of the one that the member has seen (group/seen.ts).
import { sleep } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import { GroupView } from '../coordination/group-view.ts'
import { paths as copyPaths, readSeen } from '../coordination/record-copy.ts'
import { foundGroup } from '../group/founding.ts'
import { type GroupRecord, keys, RECORD_FORMAT } from '../group/record.ts'
import { refuseOlder } from '../group/seen.ts'
import { usualMin } from '../group/slices.ts'
import { paths } from '../store/layout.ts'
import type { MemberPorts, MemberSettings } from './member-settings.ts'

const RETRY_MS = 50

/** The group record is not the one that this member's folder belongs to; the message is a sentence. */
export class RecordRefused extends Error {
  override readonly name = 'RecordRefused'
}

/** The folder has been a member's: its group exists, and is never founded again. */
export async function bearsGroup(disk: Disk): Promise<boolean> {
  const names = await disk.list('.')
  return [paths.superblock, copyPaths.copy, copyPaths.seen].some((name) => names.includes(name))
}

/** Waits until the coordinator answers. Rejects with RecordRefused, or with the sentence about a record that cannot be used. */
export async function openGroup(ports: MemberPorts, settings: MemberSettings): Promise<GroupView> {
  const { clock, coordinator, disk } = ports
  const seen = await readSeen(disk)
  await foundUnlessThere(ports, settings, await bearsGroup(disk))
  const group = await GroupView.open(coordinator, clock)
  const refused = seen === null ? null : refuseOlder(group.group, group.rev, seen)
  if (refused === null) return group
  group.close()
  throw new RecordRefused(refused)
}

/** Whoever comes first founds the group; a founder that died half way is finished by the next. */
async function foundUnlessThere(
  ports: MemberPorts,
  settings: MemberSettings,
  isOld: boolean,
): Promise<void> {
  const { coordinator, clock, newId } = ports
  const group: GroupRecord = {
    format: RECORD_FORMAT,
    name: settings.groupName,
    groupId: newId(),
    incarnation: newId(),
    lineage: [],
    slices: settings.slices,
    namingAuthority: settings.namingAuthority,
  }
  const { copies = 1 } = settings
  const min = usualMin(copies)
  for (;;) {
    const listed = await coordinator.list(keys.group)
    if (listed.kind === 'done' && listed.items.some(({ key }) => key === keys.group)) return
    if (listed.kind === 'done' && isOld) {
      throw new RecordRefused(
        `The coordination file holds no group, and the data folder of ${settings.memberId} belongs to one. Put the right file back, or stop the group and rebuild it from the members' folders with 'evenkeel recover'. Nothing was touched.`,
      )
    }
    if (listed.kind === 'done') {
      for (const change of foundGroup(group, settings.founders, { copies, min })) {
        const result = await coordinator.txn(change)
        if (result.kind !== 'done') break
      }
    }
    await sleep(clock, RETRY_MS)
  }
}
