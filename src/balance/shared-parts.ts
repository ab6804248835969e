// What the drivers of one member's distribution share.
import type { BadPaths } from '../distribution/bounds.ts'
import type { Reservations } from '../distribution/reservations.ts'
import type { Arrivals } from './arrivals.ts'
import type { HeardReports } from './heard.ts'
import type { MemberParts } from './member-parts.ts'
import type { Monitor } from './monitor.ts'
import type { OwnSessions } from './own-sessions.ts'
import type { PolicyRecord } from './policy-record.ts'

export interface Shared {
  readonly member: MemberParts
  readonly policy: PolicyRecord
  readonly monitor: Monitor
  readonly others: HeardReports
  readonly sessions: OwnSessions
  readonly arrivals: Arrivals
  /** Room that is promised to sessions which have not arrived. */
  readonly reservations: Reservations
  readonly badPaths: BadPaths
}

/** For a question about the load of another member, as it is now. */
export const ASK_MS = 500
