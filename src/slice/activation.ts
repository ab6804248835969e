// How a member becomes the primary of slices that name it: it raises their epochs by compare-and-swap and lists all
// sessions inside the last of those transactions, so that no session's death can fall between the two.
//
// Invariants:
//   A1. The list is of the instant in which the last epoch was raised: what was closed before is in it or retired.
//   A2. An unknown outcome is settled by raising once more, never by a read.
//   A3. The store has promised an epoch before the record can have it: whatever the outcome, the record is never ahead of
//       its store, and a store that is behind the record is an older copy (store/identity.ts). Who gives a slice away and is in sync
//       no more promises nothing: what it has of the slice counts no more, and its disk may be full.
//   A4. An epoch is above every one that a record may have had. What was promised and not raised to is promised again, so a
//        store is never two ahead of its own record: one that is has met an older one, and so has one that has a change under
//        what it promised (group/seen.ts, G26).
//   R1.  The record alone says who is primary and who is in sync. It changes by compare-and-swap on what was read, to a higher
//        epoch (G30 of group/slices.ts).
//   R12. A record that names this member primary of an epoch that it does not run, also by a transaction of its own whose
//        outcome was not known, is raised once more: nothing is served under an epoch that was not heard to be this one's.
import { type Clock, sleep } from '../base/clock.ts'
import {
  type Epoch,
  epoch,
  type Generation,
  type MemberId,
  NO_REVISION,
  type Revision,
  type SessionId,
  type SliceId,
} from '../base/ids.ts'
import type { Coordinator, Versioned } from '../coordination/coordinator.ts'
import { storedSession, usable } from '../coordination/group-view.ts'
import { parseSlice } from '../group/parse.ts'
import { keys, type SliceRecord } from '../group/record.ts'
import { changeSlices, raised, type SliceChange, type StoredSlice } from '../group/slices.ts'
import type { Grants } from './lease.ts'
import type { SliceStore } from './slice-store.ts'

const AGAIN_MS = 100
/** As many as fit one transaction. */
export const TAKEN_MOST = 64

export interface Activation {
  readonly epochs: ReadonlyMap<SliceId, Epoch>
  /** As they are now. */
  readonly slices: ReadonlyMap<SliceId, StoredSlice>
  /** Generation by session, as of `rev`. Empty, and `rev` 0, if there was no slice to raise. */
  readonly sessions: readonly (readonly [SessionId, Generation])[]
  readonly rev: Revision
}

export interface ActivationDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly coordinator: Coordinator
  readonly store: Pick<SliceStore, 'promise' | 'promisedEpoch'>
  readonly isClosed: () => boolean
}

/** What a slice is to become with the epoch that it is given; null: it is left alone. */
export type Wish = (slice: StoredSlice, to: Epoch) => SliceRecord | null

const NOTHING: Activation = {
  epochs: new Map(),
  slices: new Map(),
  sessions: [],
  rev: NO_REVISION,
}

/** Raises the epochs of the slices under `prefixes` that `wish` changes. Tries until it succeeds; null: closed meanwhile. */
export async function activate(
  deps: ActivationDeps,
  wish: Wish,
  prefixes: readonly string[] = [keys.slices],
): Promise<Activation | null> {
  while (!deps.isClosed()) {
    const listed = await deps.coordinator.txn({ read: prefixes })
    if (listed.kind === 'done') {
      const changes = wished(deps, listed.read.flat(), wish)
      if (changes.length === 0) return NOTHING
      if (deps.isClosed()) return null
      const activation = await raise(deps, changes)
      if (typeof activation !== 'string') return activation
    }
    await sleep(deps.clock, AGAIN_MS)
  }
  return null
}

/** The slices of this member, as they are. */
export function ownSlices(self: MemberId, wanted: (slice: SliceId) => boolean): Wish {
  return ({ id, record }, to) => (record.primary === self && wanted(id) ? raised(record, to) : null)
}

export type Epochs = ReadonlyMap<SliceId, Epoch>

/**
 * R6, LS2 of lease.ts: the slices that `wish` takes over from one member, once, as many as one transaction takes. `grants` is told
 * before, and when it is known what has come of it: as long as the record may still change by it, that member is granted nothing.
 */
export async function takeOver(
  deps: ActivationDeps,
  from: MemberId,
  grants: Grants,
  { wish, before }: { readonly wish: Wish; readonly before: (epochs: Epochs) => Promise<unknown> },
): Promise<Activation | null> {
  const { clock, coordinator } = deps
  const listed = await coordinator.list(keys.slices)
  if (listed.kind !== 'done' || deps.isClosed()) return null
  const changes = wished(deps, listed.items, wish).slice(0, TAKEN_MOST)
  if (changes.length === 0 || !grants.mayTakeOver(from, clock.nowMs())) return null
  grants.takingOver(from, clock.nowMs())
  await before(new Map(changes.map(({ slice, to }) => [slice.id, to.epoch]))) // R2 of replica.ts
  for (;;) {
    const result = await raise(deps, changes)
    if (deps.isClosed()) return null
    if (typeof result !== 'string') {
      grants.settled(from, result.rev)
      return result
    }
    if (result === 'lost') break
    await sleep(clock, AGAIN_MS)
  }
  // The slices are not as they were compared with, so none of the transactions can take effect any more.
  for (;;) {
    const read = await coordinator.txn({ read: [] })
    if (deps.isClosed()) return null
    if (read.kind !== 'unknown') {
      grants.settled(from, read.rev)
      return null
    }
    await sleep(clock, AGAIN_MS)
  }
}

function wished(
  { store }: ActivationDeps,
  items: readonly Versioned[],
  wish: Wish,
): readonly SliceChange[] {
  return items.flatMap((item) => {
    const slice = toStored(item)
    const to = wish(slice, above(slice.record.epoch, store.promisedEpoch(slice.id)))
    return to === null ? [] : [{ slice, to }]
  })
}

/** A4 */
function above(recorded: Epoch, promised: Epoch): Epoch {
  return epoch((promised > recorded + 1 ? promised : recorded) + 1)
}

/** 'lost': some slice changed meanwhile; 'unknown': the outcome is (A2). Either way all are to be read and raised once more. */
async function raise(
  deps: ActivationDeps,
  changes: readonly SliceChange[],
): Promise<Activation | 'lost' | 'unknown'> {
  const epochs = new Map(changes.map(({ slice, to }) => [slice.id, to.epoch]))
  const records = new Map(changes.map(({ slice, to }) => [slice.id, to]))
  const own = changes.filter(({ to }) => to.inSync.includes(deps.self))
  const isPromised = own.every(({ slice, to }) => deps.store.promisedEpoch(slice.id) >= to.epoch)
  const promises = new Map(own.map(({ slice, to }) => [slice.id, to.epoch]))
  if (!isPromised && (await deps.store.promise(promises)) === 'full') return 'lost' // A3
  const slices = new Map<SliceId, StoredSlice>()
  const transactions = changeSlices(changes)
  const last = transactions.length - 1
  for (const [number, transaction] of transactions.entries()) {
    const read = number === last ? [keys.sessions] : []
    const result = await deps.coordinator.txn({ ...transaction, read })
    if (result.kind !== 'done') return result.kind
    for (const { key } of transaction.put) {
      const id = keys.sliceOf(key)
      const record = records.get(id)
      if (record !== undefined) slices.set(id, { id, rev: result.rev, record })
    }
    if (number < last) continue
    return { epochs, slices, sessions: generationsIn(result.read[0] ?? []), rev: result.rev }
  }
  return 'lost'
}

/** The generation of each session. */
export function generationsIn(
  items: readonly Versioned[],
): readonly (readonly [SessionId, Generation])[] {
  return items.map((item) => {
    const { id, record } = storedSession(item)
    return [id, record.gen] as const
  })
}

function toStored({ key, value, rev }: Versioned): StoredSlice {
  return {
    id: keys.sliceOf(key),
    rev,
    record: usable(key, parseSlice(value)),
  }
}
