// A planned move, seen from the member that holds the session: DESIGN §5, reference/models/move-model.mjs `move()`. A pure transition function:
// events in, the next state and actions out. target/ carries the actions out, in order, and feeds back what came of them.
//
//   proposed ──granted──▶ noting ──noted──▶ quiescing ──quiet──▶ committing ──done──▶ asked ──▶ ended returned | reclaimed | expired
//      │                    │ unknown        │ 4 s, revoked        │ unknown   │ lost
//      │ denied, silent     ▼                ▼                     ▼           ▼
//      ▼                  settling(open) ◀───┘              settling(held)   ended lost
//    ended abandoned        │ rewritten: ended abandoned      │ rewritten: held commands run, ended abandoned
//                           │ ours: as committed              │ ours: as committed
//                           ▼ gone: ended lost                ▼ gone: ended lost
//
// M1. Nothing is frozen before the grant, and a session is never frozen longer than 4 s: past that the window is reopened and the move abandoned.
// M2. The commit is sent only when nothing is outstanding and the window is used up or nothing has arrived for 100 ms.
// M3. From the moment the commit is sent until its outcome is known, arriving commands are held: run if it did not happen, discarded if it did.
// M4. An unknown outcome is settled by a transaction that rewrites the record as it was, never by a read; it is repeated until it is known.
// M5. Once committed nothing of the session is executed or answered here: `close` comes before `ask`, and 2 s later the connection goes.
// M6. The grant is renewed each second until the move is committed or over; a promise that is not needed is given back.
// M7. Every move ends, and says how. `noting` and `committing` end because the Coordinator port answers every call, if only `unknown`;
//     `settling` lasts as long as the coordinator is away.
import type { MemberId, MoveOutcome } from '../group/record.ts'

export const GRANT_WAIT_MS = 1500
export const QUIESCE_MS = 4000
export const GAP_MS = 100
export const POLL_MS = 10
export const RENEW_MS = 1000
export const SETTLE_AGAIN_MS = 100
export const LINGER_MS = 2000
/** An open move expires 10 s after its destination saw it; past this its end was missed. */
export const OUTCOME_WAIT_MS = 15_000

export interface Plan {
  readonly id: string
  readonly from: MemberId
  readonly to: MemberId
}

interface Timed {
  readonly plan: Plan
  /** When this state was entered. */
  readonly sinceMs: number
}

interface Renewed extends Timed {
  readonly renewedMs: number
}

export type Move =
  | ({ readonly kind: 'proposed' } & Timed)
  | ({ readonly kind: 'noting' } & Renewed)
  | ({ readonly kind: 'quiescing' } & Renewed)
  | ({ readonly kind: 'committing'; readonly drainMs: number } & Renewed)
  /** `held`: the commit was sent, commands are being held. `inFlight`: a settling transaction is under way. */
  | ({
      readonly kind: 'settling'
      readonly held: boolean
      readonly inFlight: boolean
      readonly drainMs: number
      readonly why: string
    } & Renewed)
  | ({ readonly kind: 'asked'; readonly drainMs: number; readonly shut: boolean } & Timed)
  | {
      readonly kind: 'ended'
      readonly plan: Plan
      readonly outcome: MoveOutcome
      readonly why: string
      readonly drainMs: number | null
    }

export type MoveEvent =
  | { readonly kind: 'granted' }
  /** Also later: the destination took its promise back (it drains, it restarted). */
  | { readonly kind: 'denied'; readonly reason: string }
  | { readonly kind: 'silent' }
  /** The record was written with the intent. */
  | { readonly kind: 'noted'; readonly result: 'done' | 'lost' | 'unknown' }
  /** At least every `POLL_MS` while quiescing, every second otherwise, and whenever something was answered. */
  | {
      readonly kind: 'tick'
      readonly outstanding: number
      readonly windowUsedUp: boolean
      readonly sinceLastArrivalMs: number
    }
  | { readonly kind: 'committed'; readonly result: 'done' | 'lost' | 'unknown' }
  /** What the settling transaction found: rewritten as it was before the commit; our own commit had happened; or the record is not ours any more. */
  | { readonly kind: 'settled'; readonly result: 'rewritten' | 'ours' | 'gone' | 'unknown' }
  /** The session's connection or the session itself is over. */
  | { readonly kind: 'sessionEnded' }
  /** What the group record says of the session after the commit. */
  | { readonly kind: 'recorded'; readonly outcome: 'returned' | 'reclaimed' | 'expired' }

export type MoveAction =
  /** Ask the destination for a grant of this move. */
  | { readonly kind: 'propose' }
  | { readonly kind: 'renew' }
  | { readonly kind: 'giveBack' }
  /** Transaction: note the intent in the record as it was read (open: false). */
  | { readonly kind: 'note' }
  /** Stop advancing MaxCmdSN. */
  | { readonly kind: 'freeze' }
  | { readonly kind: 'reopen' }
  /** Hold what arrives, then send the transaction: owner := to, gen + 1, move open. In this order. */
  | { readonly kind: 'holdAndCommit' }
  /** Transaction, compared with our token and generation: the record as it is, without a move. */
  | { readonly kind: 'settle' }
  /** Run what was held, in order, and answer a NOP with the reopened window. */
  | { readonly kind: 'release' }
  /** The guard: nothing is executed or answered any more; discard what was held, answer probes of a barrier "changed", fence (session, gen + 1). */
  | { readonly kind: 'close' }
  /** Async event 3 with Time2Wait 0, then half-close; read and discard. */
  | { readonly kind: 'ask' }
  | { readonly kind: 'shut' }
  /** The session is not ours any more: drop it and its connection. */
  | { readonly kind: 'drop' }

export interface Step {
  readonly move: Move
  readonly actions: readonly MoveAction[]
}

const act = (...kinds: MoveAction['kind'][]): MoveAction[] => kinds.map((kind) => ({ kind }))

export function beginMove(plan: Plan, nowMs: number): Step {
  return { move: { kind: 'proposed', plan, sinceMs: nowMs }, actions: act('propose') }
}

/** Events that a state does not know are late or repeated: they change nothing. */
export function stepMove(move: Move, event: MoveEvent, nowMs: number): Step {
  switch (move.kind) {
    case 'proposed':
      return fromProposed(move, event, nowMs)
    case 'noting':
      return fromNoting(move, event, nowMs)
    case 'quiescing':
      return fromQuiescing(move, event, nowMs)
    case 'committing':
      return fromCommitting(move, event, nowMs)
    case 'settling':
      return fromSettling(move, event, nowMs)
    case 'asked':
      return fromAsked(move, event, nowMs)
    case 'ended':
      return stay(move)
  }
}

/** How long until the next tick is due. */
export function tickDueMs(move: Move, nowMs: number): number {
  switch (move.kind) {
    case 'quiescing':
      return POLL_MS
    case 'settling':
      return move.inFlight ? RENEW_MS : SETTLE_AGAIN_MS
    case 'proposed':
      return Math.max(0, move.sinceMs + GRANT_WAIT_MS - nowMs)
    default:
      return RENEW_MS
  }
}

function fromProposed(move: Move & { kind: 'proposed' }, event: MoveEvent, nowMs: number): Step {
  const { plan, sinceMs } = move
  switch (event.kind) {
    case 'granted':
      return {
        move: { kind: 'noting', plan, sinceMs: nowMs, renewedMs: nowMs },
        actions: act('note'),
      }
    case 'denied':
      return { move: ended(plan, 'abandoned', `denied: ${event.reason}`), actions: [] }
    case 'silent':
      return giveUp(plan, 'the destination did not answer')
    case 'sessionEnded':
      return giveUp(plan, 'the session ended', 'lost')
    case 'tick':
      if (nowMs - sinceMs < GRANT_WAIT_MS) return stay(move)
      return giveUp(plan, 'the destination did not answer')
    default:
      return stay(move)
  }
}

function fromNoting(move: Move & { kind: 'noting' }, event: MoveEvent, nowMs: number): Step {
  const { plan } = move
  switch (event.kind) {
    case 'noted':
      if (event.result === 'lost') return dropped(plan, null)
      if (event.result === 'unknown') {
        return settle(move, 'the coordinator did not answer', false, nowMs)
      }
      return { move: { ...move, kind: 'quiescing', sinceMs: nowMs }, actions: act('freeze') }
    case 'denied':
      return settle(move, `the destination withdrew: ${event.reason}`, false, nowMs)
    case 'silent':
      return settle(move, 'the destination fell silent', false, nowMs)
    case 'sessionEnded':
      return giveUp(plan, 'the session ended', 'lost')
    case 'tick':
      return renewed(move, nowMs)
    default:
      return stay(move)
  }
}

function fromQuiescing(move: Move & { kind: 'quiescing' }, event: MoveEvent, nowMs: number): Step {
  const { plan, sinceMs } = move
  switch (event.kind) {
    case 'denied':
      return settle(move, `the destination withdrew: ${event.reason}`, false, nowMs)
    case 'silent':
      return settle(move, 'the destination fell silent', false, nowMs)
    case 'sessionEnded':
      return giveUp(plan, 'the session ended', 'lost')
    case 'tick': {
      const quiet = event.windowUsedUp || event.sinceLastArrivalMs >= GAP_MS
      const late = nowMs - sinceMs >= QUIESCE_MS
      if (late) return settle(move, `not quiet within ${QUIESCE_MS} ms`, false, nowMs)
      if (event.outstanding > 0 || !quiet) return renewed(move, nowMs)
      const { renewedMs } = move
      const drainMs = nowMs - sinceMs
      return {
        move: { kind: 'committing', plan, sinceMs: nowMs, renewedMs, drainMs },
        actions: act('holdAndCommit'),
      }
    }
    default:
      return stay(move)
  }
}

function fromCommitting(
  move: Move & { kind: 'committing' },
  event: MoveEvent,
  nowMs: number,
): Step {
  const { plan, drainMs } = move
  switch (event.kind) {
    case 'committed':
      if (event.result === 'done') return asked(plan, drainMs, nowMs)
      if (event.result === 'lost') return dropped(plan, drainMs)
      return settle(move, 'the coordinator did not answer', true, nowMs)
    case 'sessionEnded':
      // Whether it was committed, its record tells: it is closed only as long as it bears our generation.
      return giveUp(plan, 'the session ended', 'lost')
    case 'tick':
      return renewed(move, nowMs)
    default:
      return stay(move)
  }
}

function fromSettling(move: Move & { kind: 'settling' }, event: MoveEvent, nowMs: number): Step {
  const { plan, held, drainMs } = move
  switch (event.kind) {
    case 'settled':
      switch (event.result) {
        case 'rewritten':
          return {
            move: ended(plan, 'abandoned', move.why, held ? drainMs : null),
            actions: held ? act('reopen', 'release', 'giveBack') : act('giveBack'),
          }
        case 'ours':
          return asked(plan, drainMs, nowMs)
        case 'gone':
          return dropped(plan, drainMs)
        case 'unknown':
          return { move: { ...move, inFlight: false, sinceMs: nowMs }, actions: [] }
      }
      return stay(move)
    case 'sessionEnded':
      return giveUp(plan, 'the session ended', 'lost')
    case 'tick':
      if (!move.inFlight && nowMs - move.sinceMs >= SETTLE_AGAIN_MS) {
        return { move: { ...move, inFlight: true, sinceMs: nowMs }, actions: act('settle') }
      }
      return renewed(move, nowMs)
    default:
      return stay(move)
  }
}

function fromAsked(move: Move & { kind: 'asked' }, event: MoveEvent, nowMs: number): Step {
  const { plan, drainMs } = move
  switch (event.kind) {
    case 'recorded':
      return {
        move: ended(plan, event.outcome, '', drainMs),
        actions: move.shut ? [] : act('shut'),
      }
    case 'sessionEnded':
      // The initiator closed, as asked.
      return { move: { ...move, shut: true }, actions: move.shut ? [] : act('shut') }
    case 'tick': {
      const waited = nowMs - move.sinceMs
      if (waited >= OUTCOME_WAIT_MS) {
        const actions = move.shut ? [] : act('shut')
        return { move: ended(plan, 'expired', 'no end was recorded', drainMs), actions }
      }
      if (move.shut || waited < LINGER_MS) return stay(move)
      return { move: { ...move, shut: true }, actions: act('shut') }
    }
    default:
      return stay(move)
  }
}

const stay = (move: Move): Step => ({ move, actions: [] })

function ended(
  plan: Plan,
  outcome: MoveOutcome,
  why: string,
  drainMs: number | null = null,
): Move & { kind: 'ended' } {
  return { kind: 'ended', plan, outcome, why, drainMs }
}

function giveUp(plan: Plan, why: string, outcome: MoveOutcome = 'abandoned'): Step {
  return { move: ended(plan, outcome, why), actions: act('giveBack') }
}

function dropped(plan: Plan, drainMs: number | null): Step {
  const why = 'the record had changed: the session is not ours any more'
  return { move: ended(plan, 'lost', why, drainMs), actions: act('drop', 'giveBack') }
}

function asked(plan: Plan, drainMs: number, nowMs: number): Step {
  return {
    move: { kind: 'asked', plan, sinceMs: nowMs, drainMs, shut: false },
    actions: act('close', 'ask'),
  }
}

/** The window of a session whose commit was not sent is reopened at once; with a commit under way it waits for the outcome (M3). */
function settle(
  from: Move & { kind: 'noting' | 'quiescing' | 'committing' },
  why: string,
  held: boolean,
  nowMs: number,
): Step {
  const { plan, renewedMs } = from
  const drainMs = from.kind === 'committing' ? from.drainMs : 0
  const frozen = from.kind === 'quiescing'
  return {
    move: {
      kind: 'settling',
      plan,
      sinceMs: nowMs,
      renewedMs,
      held,
      inFlight: true,
      drainMs,
      why,
    },
    actions: frozen ? act('reopen', 'settle') : act('settle'),
  }
}

function renewed(move: Extract<Move, Renewed>, nowMs: number): Step {
  if (nowMs - move.renewedMs < RENEW_MS) return stay(move)
  return { move: { ...move, renewedMs: nowMs }, actions: act('renew') }
}
