// The receiver's answer to a proposal, on its own fresh load with what it has promised already, and on the source's
// fresh load.
//
// G1. A grant lowers the number of waiting requests by at least price / horizon, on fresh values.
// G2. One negotiation at a time: who has a proposal of its own under way answers BUSY and never waits, so both loads
//     are fresh.
// G3. A move by hand or for a drain passes over rates and rests, never over what makes it unsafe (bounds.ts) or over
//     saturation.
import { asTable, shareAt } from '../load/load-table.ts'
import type { Code } from './code.ts'
import { meanUtilisation } from './decide.ts'
import { effective, judge } from './judge.ts'
import type { Policy } from './policy.ts'
import type { End, SessionView, View } from './view.ts'
import type { Asked } from './wire.ts'

export interface Receiver {
  /** Reservations are in its load. */
  readonly end: End
  readonly view: View
  readonly busy: boolean
  readonly draining: boolean
  /** Grants it has given since its last decision round began. */
  readonly grantedThisRound: number
  /** Why this session may not come here, by what this member knows itself. */
  readonly barred: Code | null
}

export type GrantAnswer =
  | { readonly kind: 'granted'; readonly gain: number }
  | { readonly kind: 'denied'; readonly reason: Code }

export function grant(
  receiver: Receiver,
  proposal: Asked,
  nowMs: number,
  policy: Policy,
): GrantAnswer {
  if (receiver.busy) return denied('BUSY')
  if (receiver.draining) return denied('DRAIN')
  if (receiver.barred !== null) return denied(receiver.barred)
  if (receiver.grantedThisRound >= policy.grantsPerRound) return denied('RATE_LIMIT')
  const { rule, gain } = judge(
    {
      session: proposal.session,
      source: proposal.source,
      target: receiver.end,
      mean: meanUtilisation(receiver.end, receiver.view, policy),
      topmost: proposal.topmost,
      urgent: proposal.urgent,
      receiving: true,
      nowMs,
    },
    policy,
  )
  if (rule !== null) return denied(rule)
  if (gain * policy.horizonSeconds < proposal.price) return denied('NO_PAYBACK')
  return { kind: 'granted', gain }
}

/** For a move that was asked for by an operator or a drain: only safety and saturation count. */
export function grantForced(
  receiver: Receiver,
  session: Pick<SessionView, 'load'>,
  policy: Policy,
): GrantAnswer {
  if (receiver.draining) return denied('DRAIN')
  if (receiver.barred !== null) return denied(receiver.barred)
  const after = utilisationWith(receiver.end, session, policy)
  return after >= 1 ? denied('DEST_CAP') : { kind: 'granted', gain: 0 }
}

/** Utilisation of the fullest resource once this session has arrived. */
export function utilisationWith(
  end: End,
  session: Pick<SessionView, 'load'>,
  policy: Policy,
): number {
  const added = asTable(session.load, shareAt(session.load, end.member))
  let most = 0
  for (let r = 0; r < end.capacity.length; r++) {
    const mean = (end.load.slow[r] ?? 0) + (added.slow[r] ?? 0)
    const variance = (end.load.variance[r] ?? 0) + (added.variance[r] ?? 0)
    most = Math.max(most, effective(mean, variance, policy.burstMargin) / (end.capacity[r] ?? 1))
  }
  return most
}

const denied = (reason: Code): GrantAnswer => ({ kind: 'denied', reason })
