// A login to a volume that is not shared: whether another host has it (G20 of group/claims.ts). Where there is doubt, the
// members that serve the other host's sessions ask its initiator for a sign of life.
//
//   read claim and sessions ──nobody──▶ free
//      ▲       └─ ask ──┬─ alive ─────────────▶ in use
//      │                ├─ no answer yet, or in an open move ─▶ in doubt: the initiator may try again
//      └── closed ◀─────┴─ over
//
// Invariants:
//   O1. A login never ends the session of another host that may still live: its own member gives it up (keep-alive.ts).
//   O2. What its member says is over is closed by compare-and-swap and fenced before the volume is free (B2).
//   O3. A refusal says whose session has the volume, at which address, and what a shared volume is for.
//   O4. What is over of other hosts is fenced before the volume is free, as often as it is taken: a write of theirs that is
//       still on its way to a primary is not carried out behind the new host's.
import type { SessionId } from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { storedSession } from '../coordination/group-view.ts'
import { type Claim, claimIn, claimReads, otherHosts } from '../group/claims.ts'
import type { VolumeRecord } from '../group/record.ts'
import type { StoredSession } from '../group/sessions.ts'
import type { Barrier } from './barrier.ts'

export interface UnsharedDeps {
  readonly coordinator: Coordinator
  readonly barrier: Pick<Barrier, 'signsOfLife' | 'close' | 'fenceDead'>
}

export interface Arriving {
  readonly volume: VolumeRecord
  readonly initiator: string
  readonly source: string
  readonly isGone: () => boolean
}

export type Verdict =
  | { readonly kind: 'free'; readonly claim: Claim | null }
  | { readonly kind: 'in use' | 'in doubt'; readonly sentence: string }
  /** Something changed, or the coordinator does not answer: read anew. */
  | { readonly kind: 'again' }

/** `taken`: the record that the login takes; null: a new one. */
export async function mayTake(
  deps: UnsharedDeps,
  arriving: Arriving,
  taken: SessionId | null,
): Promise<Verdict> {
  const { volume } = arriving
  if (volume.shared) return { kind: 'free', claim: null }
  const read = await deps.coordinator.txn({ read: claimReads(volume.id) })
  if (read.kind !== 'done') return { kind: 'again' }
  const [claims = [], sessions = []] = read.read
  const all = sessions.map(storedSession)
  const others = otherHosts(all, arriving, taken)
  if (others.length === 0) {
    deps.barrier.fenceDead(all) // O4
    return { kind: 'free', claim: claimIn(volume.id, claims) }
  }
  const moving = others.find(({ record }) => record.move?.open === true)
  if (moving !== undefined) return inDoubt(volume, moving)
  const signs = await deps.barrier.signsOfLife(others)
  const withSign = (sign: string) => others.find((_, at) => signs[at] === sign)
  const alive = withSign('alive')
  if (alive !== undefined) return { kind: 'in use', sentence: refusal(volume, alive) }
  const silent = withSign('silent')
  if (silent !== undefined) return inDoubt(volume, silent)
  await Promise.all(others.map((stored) => deps.barrier.close(stored, arriving.isGone))) // O2
  return { kind: 'again' }
}

/** O3. */
function refusal({ name }: VolumeRecord, { id, record }: StoredSession): string {
  const { initiator, source, owner } = record
  return `volume '${name}' is not shared, and ${initiator} at ${source} has it (session ${id} on ${owner}); only a volume that was made with --shared takes several hosts, for live migration or a cluster file system`
}

function inDoubt(volume: VolumeRecord, other: StoredSession): Verdict {
  const sentence = `${refusal(volume, other)}. That session gives no sign of life now. Its member closes it after 60 s of silence, or when it starts again if it is down: try again then`
  return { kind: 'in doubt', sentence }
}
