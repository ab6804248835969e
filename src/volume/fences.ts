// The FENCEs of this member's login barriers, kept at every primary until their sessions are retired (W3 of gateway.ts).
import type { Generation, MemberId, Revision, SessionId } from '../base/ids.ts'
import type { PeerLinks } from '../peer/links.ts'
import type { GroupSlices } from '../slice/group-slices.ts'
import type { Slices } from '../slice/slices.ts'

interface Fence {
  readonly gen: Generation
  readonly acknowledgedBy: Set<MemberId>
}

export interface FencesDeps {
  readonly self: MemberId
  readonly group: GroupSlices
  readonly slices: Pick<Slices, 'fence' | 'isServing' | 'serving'>
  readonly peers: Pick<PeerLinks, 'link'>
}

export class Fences {
  readonly #deps: FencesDeps
  readonly #fences = new Map<SessionId, Fence>()
  readonly #sessions = new Set<SessionId>()
  /** The primaries that have been given all fences. */
  #told: ReadonlySet<MemberId>

  constructor(deps: FencesDeps) {
    this.#deps = deps
    this.#told = primaries(deps.group)
  }

  get sessions(): ReadonlySet<SessionId> {
    return this.#sessions
  }

  fence(session: SessionId, gen: Generation): void {
    if ((this.#fences.get(session)?.gen ?? 0) >= gen) return
    const fence = { gen, acknowledgedBy: new Set<MemberId>() }
    this.#fences.set(session, fence)
    this.#sessions.add(session)
    this.primariesChanged()
    for (const member of this.#told) this.#tell(member, session, fence)
  }

  unfence(session: SessionId): void {
    this.#sessions.delete(session)
    if (!this.#fences.delete(session)) return
    for (const member of this.#told) {
      if (member !== this.#deps.self) this.#deps.peers.link(member).unfence(session)
    }
  }

  isKnownEverywhere(session: SessionId, gen: Generation, rev: Revision): boolean {
    const fence = this.#fences.get(session)
    if (fence === undefined || fence.gen < gen) return false
    const { slices, sliceRevs } = this.#deps.group
    return slices.every(
      ({ primary }, slice) => fence.acknowledgedBy.has(primary) || (sliceRevs[slice] ?? 0) > rev,
    )
  }

  /** Members that have become primary are given all fences, those that are none any more are let go. */
  primariesChanged(): void {
    const { self, group, peers } = this.#deps
    const before = this.#told
    const now = primaries(group)
    this.#told = now
    for (const member of now) {
      if (before.has(member)) continue
      for (const [session, fence] of this.#fences) this.#tell(member, session, fence)
    }
    for (const member of before) {
      if (now.has(member) || member === self) continue
      for (const session of this.#sessions) peers.link(member).unfence(session)
    }
  }

  #tell(member: MemberId, session: SessionId, fence: Fence): void {
    const { self, slices, peers } = this.#deps
    const acknowledged = () => {
      fence.acknowledgedBy.add(member)
    }
    if (member !== self) {
      peers.link(member).fence(session, fence.gen, acknowledged)
      return
    }
    const fenceHere = () => {
      slices.fence(session, fence.gen)
      acknowledged()
    }
    if (slices.isServing) fenceHere()
    else void slices.serving().then(fenceHere)
  }
}

function primaries(group: GroupSlices): ReadonlySet<MemberId> {
  return new Set(group.slices.map(({ primary }) => primary))
}
