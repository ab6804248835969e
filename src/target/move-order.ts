// A planned move as it is ordered, and how it ends at the member that was told to make it (move.ts).
import type { MemberId } from '../base/ids.ts'
import type { MoveRecord } from '../group/record.ts'
import type { Json } from '../peer/message.ts'

export interface MoveOrder {
  readonly id: string
  readonly to: MemberId
  readonly by: MoveRecord['by']
  readonly code: string
  readonly reason: string
  readonly predicted: MoveRecord['predicted']
  /** What the destination judges by: the proposal of a balancing move, or null for a move by hand. */
  readonly proposal: Json
  /** The estimator state of the session, which goes with it. */
  readonly estimate: Json
}

export type MoveEnd =
  | { readonly kind: 'committed'; readonly drainMs: number; readonly held: number }
  | { readonly kind: 'denied'; readonly reason: string }
  /** M6 of move.ts. */
  | { readonly kind: 'not begun'; readonly reason: string }
  | { readonly kind: 'abandoned'; readonly reason: string }
  /** Its session has ended first, or is another member's. */
  | { readonly kind: 'lost'; readonly reason: string }
