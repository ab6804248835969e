// What a member's store forgets now and then: pages of volumes that were deleted, operations of sessions that were retired, and slices in
// which it has no part any more (left-slices.ts).
//
// Invariants:
//   V6. Pages of a volume that was deleted are dropped, also if it was deleted while this member was down; those of one
//       that exists never are.
//   V7. What is dropped or forgotten is gone by the coordinator's own word, asked in a transaction. This member's copy of
//       the record only says what to ask about.
import type { Clock } from '../base/clock.ts'
import type { Generation, Revision, SessionId, VolumeId } from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { keys } from '../group/record.ts'
import { volumeIsAbsent } from '../group/volumes.ts'
import { generationsIn } from './activation.ts'
import { dropLeftSlices, type LeftSlicesDeps } from './left-slices.ts'

const TIDY_EVERY_MS = 10_000

export interface TidyDeps extends LeftSlicesDeps {
  readonly clock: Clock
  /** Of which something is known besides what the store remembers. */
  readonly sessions: () => Iterable<SessionId>
  readonly load: (sessions: Iterable<readonly [SessionId, Generation]>, rev: Revision) => void
}

export function tidyNowAndThen(deps: TidyDeps): void {
  deps.clock.after(TIDY_EVERY_MS, () => {
    if (deps.isServing()) void tidy(deps).then(() => tidyNowAndThen(deps))
  })
}

async function tidy(deps: TidyDeps): Promise<void> {
  await forgetRetired(deps)
  const { group, store, coordinator } = deps
  for (const volume of store.volumes()) {
    if (group.volumes.has(volume) || !(await isDeleted(coordinator, volume))) continue
    // A write that was in its turn meanwhile may bring a page back, and a full store may not take the order: the next
    // time. A store that has failed stops the member (V5 of slices.ts).
    await store.dropVolume(volume).catch(() => undefined)
  }
  await dropLeftSlices(deps)
}

/** V7. A comparison is of now, while a list may be older. */
async function isDeleted(coordinator: Coordinator, volume: VolumeId): Promise<boolean> {
  return (await coordinator.txn(volumeIsAbsent(volume))).kind === 'done'
}

/** V7. */
async function forgetRetired({ group, store, coordinator, sessions, load }: TidyDeps) {
  const isGone = (id: SessionId) => id <= group.rev && !group.sessions.has(id)
  if (![...sessions(), ...store.rememberedSessions()].some(isGone)) return
  const asked = await coordinator.txn({ read: [keys.sessions] })
  if (asked.kind === 'done') load(generationsIn(asked.read[0] ?? []), asked.rev)
}
