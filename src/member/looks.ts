// What a member looks at now and then: the free space, what is known to be damaged, records that are skipped, and its
// copy of the group record.
import { Repeated } from '../balance/repeated.ts'
import { untilBeat } from '../base/clock.ts'
import type { FolderDisk } from '../io/disk.ts'
import type { Log } from '../operator/log.ts'
import { tellCopy, tellDamage, tellSkipped } from '../operator/member-log.ts'
import type { Member } from './member.ts'

const LOOK_EVERY_MS = 5_000

export async function lookNowAndThen(
  member: Member,
  disk: FolderDisk,
  log: Log,
): Promise<Repeated> {
  const told = new Set<string>()
  const toldDamaged = new Set<string>()
  const toldCopy = new Set<string>()
  const look = async () => {
    tellDamage(member, log, toldDamaged)
    tellSkipped(member, log, told)
    tellCopy(member.keeper, log, toldCopy)
    await lookFree(member, disk)
  }
  await look()
  return new Repeated({
    clock: member.ports.clock,
    everyMs: () => untilBeat(member.ports.clock, LOOK_EVERY_MS),
    work: look,
    failed: (error) => log.error('look', error),
  })
}

/** What pages may still take: of the disk, and of the budget. */
async function lookFree(member: Member, disk: FolderDisk): Promise<void> {
  const { atMostBytes, takenBytes } = member.store.usage()
  const left = Math.max(0, atMostBytes - takenBytes)
  member.freeBytes = Math.min(await disk.freeBytes(), left)
}
