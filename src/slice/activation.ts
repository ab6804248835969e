// How a member becomes the primary of slices that name it: it raises their epochs by compare-and-swap and lists all
// sessions inside the last of those transactions, so that no session's death can fall between the two.
//
// Invariants:
//   A1. The list is of the instant in which the last epoch was raised: what was closed before is in it or retired.
//   A2. An unknown outcome is settled by raising once more, never by a read.
//   A3. The store has promised an epoch before the record can have it: whatever the outcome, the record is never ahead of
//       its store, and a store that is behind the record is an older copy (store/identity.ts).
//   A4. An epoch is above every one that a record may have had. What was promised and not raised to is promised again, so a
//        store is never two ahead of its own record: one that is has met an older one, and so has one that has a change under
//        what it promised (group/seen.ts, G26).
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
import { keys } from '../group/record.ts'
import { raiseEpochs, type StoredSlice } from '../group/slices.ts'
import type { SliceStore } from './slice-store.ts'

const AGAIN_MS = 100

export interface Activation {
  readonly epochs: ReadonlyMap<SliceId, Epoch>
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

/** Raises the epochs of the member's slices that `wanted` names. Tries until it succeeds; null: closed meanwhile. */
export async function activate(
  deps: ActivationDeps,
  wanted: (slice: SliceId) => boolean,
): Promise<Activation | null> {
  while (!deps.isClosed()) {
    const listed = await deps.coordinator.list(keys.slices)
    if (listed.kind === 'done') {
      const own = listed.items
        .map(toOwn)
        .filter(({ id, record }) => record.primary === deps.self && wanted(id))
      if (own.length === 0) return { epochs: new Map(), sessions: [], rev: NO_REVISION }
      if (deps.isClosed()) return null
      const { store } = deps
      const raised = new Map(
        own.map(({ id, record }) => [id, above(record.epoch, store.promisedEpoch(id))]),
      )
      const promised = await deps.store.promise(raised) // A3
      const activation = promised === 'done' ? await raiseAll(deps.coordinator, own, raised) : null
      if (activation !== null) return activation
    }
    await sleep(deps.clock, AGAIN_MS)
  }
  return null
}

/** A4 */
function above(recorded: Epoch, promised: Epoch): Epoch {
  return epoch((promised > recorded + 1 ? promised : recorded) + 1)
}

/** Null: some slice changed meanwhile, or the outcome is unknown (A2): all are to be read and raised once more. */
async function raiseAll(
  coordinator: Coordinator,
  own: readonly StoredSlice[],
  epochs: ReadonlyMap<SliceId, Epoch>,
): Promise<Activation | null> {
  const changes = raiseEpochs(own, epochs)
  const last = changes.length - 1
  for (const [number, change] of changes.entries()) {
    const read = number === last ? [keys.sessions] : []
    const result = await coordinator.txn({ ...change, read })
    if (result.kind !== 'done') return null
    if (number < last) continue
    return { epochs, sessions: generationsIn(result.read[0] ?? []), rev: result.rev }
  }
  return null
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

function toOwn({ key, value, rev }: Versioned): StoredSlice {
  return {
    id: keys.sliceOf(key),
    rev,
    record: usable(key, parseSlice(value)),
  }
}
