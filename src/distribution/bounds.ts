// What no move may do, however well it would pay: target/DESIGN.md "What may not be moved". Asked by the source before
// it proposes and by the receiver before it grants, for planned moves, moves by hand and placement alike.
//
// B1. Two paths of one host (one initiator name, different stable ISIDs, one volume) never come together at one member.
// B2. A session whose return is matched by address, not by ISID, is not moved while a sibling's member is silent: its
//     login would wait for it.
// B3. A session that holds what only its nexus has (changed mode pages, unit attentions not yet told) is not moved,
//     whatever its ISID: none of it goes along.
// B4. A path (initiator, member) that failed lately is not tried again; a session whose last move went badly is left
//     alone.
import type { MemberId } from '../base/ids.ts'
import type { Code } from './code.ts'
import type { Barred, View } from './view.ts'

export interface SessionFacts {
  readonly initiator: string
  /** To a member, and it is not on its way there. */
  readonly pinned: boolean
  readonly moving: boolean
  /** Its ISID is not of the random kind: the return is matched by it. */
  readonly stableIsid: boolean
  /** Changed mode pages, or unit attentions that wait. */
  readonly holdsState: boolean
  readonly suspectUntilMs: number
  /** Pauses it has been given within the hour are at the policy's limit. */
  readonly pausedEnough: boolean
  /** Other sessions of the same initiator name on the same volume. */
  readonly siblings: readonly { readonly member: MemberId; readonly stableIsid: boolean }[]
  /** Members that are primary of a lane of its volume; null: the policy does not ask. */
  readonly partitionedOn: Pick<ReadonlySet<MemberId>, 'has'> | null
}

/** `byHand`: an operator's or a drain's move passes over rests and budgets. */
export function heldBy(
  facts: SessionFacts,
  view: View,
  nowMs: number,
  byHand: 'operator' | 'drain' | null,
): Code | null {
  if (facts.moving) return 'ALREADY_MOVING'
  if (facts.pinned) return 'PINNED'
  if (facts.holdsState) return 'HOLDS_STATE'
  if (!facts.stableIsid && facts.siblings.some((s) => isSilent(view, s.member))) {
    return 'SIBLING_SILENT'
  }
  if (byHand !== null) return null
  if (nowMs < facts.suspectUntilMs) return 'LAST_MOVE_FAILED'
  if (facts.pausedEnough) return 'PAUSE_BUDGET'
  return null
}

/** Why it may not be served by this member; null if it may. */
export function barredFrom(
  facts: SessionFacts,
  member: MemberId,
  badPaths: BadPaths,
  nowMs: number,
): Code | null {
  const path = (s: SessionFacts['siblings'][number]) => s.member === member && s.stableIsid
  if (facts.stableIsid && facts.siblings.some(path)) return 'MULTIPATH'
  if (badPaths.isBad(facts.initiator, member, nowMs)) return 'BAD_PATH'
  if (facts.partitionedOn !== null && !facts.partitionedOn.has(member)) return 'NOT_PARTITIONED'
  return null
}

/** As `barredFrom`, of whichever member is asked for. */
export function barredBy(facts: SessionFacts, badPaths: BadPaths, nowMs: number): Barred {
  return { get: (member) => barredFrom(facts, member, badPaths, nowMs) ?? undefined }
}

function isSilent(view: View, member: MemberId): boolean {
  const absence = view.absent.get(member)
  return absence === 'silent' || absence === 'unheard'
}

/** Paths on which a redirected initiator did not arrive; forgotten after the policy's time. */
export class BadPaths {
  readonly #until = new Map<string, number>()

  mark(initiator: string, member: MemberId, untilMs: number): void {
    this.#until.set(key(initiator, member), untilMs)
  }

  isBad(initiator: string, member: MemberId, nowMs: number): boolean {
    // Asked for each session and member of a round, and nearly always there is none.
    if (this.#until.size === 0) return false
    const untilMs = this.#until.get(key(initiator, member))
    return untilMs !== undefined && nowMs < untilMs
  }

  forget(nowMs: number): void {
    for (const [path, untilMs] of this.#until) if (untilMs <= nowMs) this.#until.delete(path)
  }
}

const key = (initiator: string, member: MemberId) => `${member} ${initiator}`
