// What the distribution uses of the member that it belongs to: the parts of which member/member.ts is made.

import type { Clock } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import type { GroupView } from '../coordination/group-view.ts'
import type { CopyAmounts } from '../load/sample.ts'
import type { PeerLinks } from '../peer/links.ts'
import type { PageStore } from '../store/page-store.ts'
import type { Target } from '../target/target.ts'
import type { Gateway } from '../volume/gateway.ts'

export interface MemberParts {
  readonly id: MemberId
  /** Of this start of the member. */
  readonly bootId: string
  readonly ports: {
    readonly clock: Clock
    readonly coordinator: Coordinator
    /** A fresh unguessable name. */
    readonly newId: () => string
  }
  readonly group: GroupView
  readonly store: PageStore
  readonly peers: PeerLinks
  readonly gateway: Gateway
  readonly target: Target
  /** Requests done here for sessions of other members, since the start. */
  readonly handled: { readonly pieces: number; readonly bytes: number }
  readonly slices: { readonly copyWork: CopyAmounts }
}
