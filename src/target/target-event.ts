// What a target tells of its sessions, logins and moves: one line for people each (operator/log-lines.ts).
import type { Generation, MemberId, SessionId, VolumeId } from '../base/ids.ts'
import type { SessionCounters } from '../load/counters.ts'
import type { EndReason } from './live-session.ts'
import type { MoveEnd } from './move-order.ts'

export type TargetEvent =
  | {
      readonly kind: 'login'
      readonly session: SessionId
      readonly initiator: string
      readonly source: string
      readonly volume: VolumeId
      readonly why: string
      readonly gen: Generation
    }
  | {
      readonly kind: 'end'
      readonly session: SessionId
      readonly initiator: string
      readonly source: string
      readonly reason: EndReason
      readonly volume: VolumeId
      readonly counters: SessionCounters
    }
  | {
      readonly kind: 'redirect'
      readonly initiator: string
      readonly source: string
      readonly to: MemberId
      readonly why: string
    }
  /** Another member sent what could not be read: it has no effect. */
  | {
      readonly kind: 'malformed'
      readonly from: MemberId
      readonly of: string
      readonly why: string
    }
  | {
      readonly kind: 'reject'
      readonly initiator: string
      readonly source: string
      readonly reason: string
    }
  | {
      readonly kind: 'barrier'
      readonly session: SessionId
      readonly initiator: string
      readonly owner: MemberId
    }
  /** This member answers at the portal of one that is away, or does not any more. */
  | {
      readonly kind: 'stand-in'
      readonly member: MemberId
      readonly portal: string
      readonly is: 'begun' | 'over'
    }
  /** This member waits for its own portal, at which another one stands in. */
  | {
      readonly kind: 'portal'
      readonly portal: string
      readonly by: MemberId
      readonly why: string
    }
  | {
      readonly kind: 'move'
      readonly move: string
      readonly session: SessionId
      readonly to: MemberId
      readonly end: MoveEnd
    }
