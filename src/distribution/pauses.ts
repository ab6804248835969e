// What a move is expected to cost an initiator: what its last moves did, or else those of initiators of its kind.
//
// PA1. An initiator that takes long to come back is moved less: its own pauses are believed before those of its kind, and these
//      before what the policy takes it for. One long pause is none of them: the middle one of the last counts.
const OWN_LAST = 5
const KIND_LAST = 20
/** Of fewer pauses of a kind nothing follows. */
const KIND_LEAST = 3

export interface PausedMove {
  readonly initiator: string
  readonly pauseMs: number
}

export class LearntPauses {
  readonly #own = new Map<string, number[]>()
  readonly #kinds = new Map<string, number[]>()

  /** The oldest first. */
  constructor(moves: Iterable<PausedMove>) {
    for (const { initiator, pauseMs } of moves) {
      keep(this.#own, initiator, pauseMs, OWN_LAST)
      keep(this.#kinds, kindOf(initiator), pauseMs, KIND_LAST)
    }
  }

  /** Seconds. `expected`: by the policy; 0: pauses do not count. */
  seconds(initiator: string, expected: number): number {
    if (expected === 0) return 0
    const kind = this.#kinds.get(kindOf(initiator)) ?? []
    const known = this.#own.get(initiator) ?? (kind.length < KIND_LEAST ? [] : kind)
    const middle = [...known].sort((a, b) => a - b)[known.length >> 1]
    return middle === undefined ? expected : middle / 1_000
  }
}

function keep(lists: Map<string, number[]>, key: string, pauseMs: number, most: number): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [pauseMs])
  else if (list.push(pauseMs) > most) list.shift()
}

/** The naming authority of an iSCSI name (RFC 7143 §4.2.7.4), which is whoever made the initiator: iqn.1994-05.com.redhat:… */
function kindOf(initiator: string): string {
  return initiator.split(':', 1)[0] ?? initiator
}
