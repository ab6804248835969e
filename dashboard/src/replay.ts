// A move as it is shown. The session itself is away for some hundredths of a second, which nobody would see, so each stage
// is shown for about a second: the drain until its outcome is known, the way, the return.
//
// Invariants:
//   RP1. A stage is shown only if it was: no session is drawn on its way before its move has returned, and one that stayed
//        is drawn where it stayed.
//   RP2. At most 24 moves are shown at a time; others are in the list of moves all the same.
import { signal } from '@preact/signals'
import type { Move } from '../../src/api/schema.ts'

export type Stage = 'drain' | 'way' | 'return' | 'stays'

export interface Replay {
  readonly move: Move
  readonly stage: Stage
  readonly sinceMs: number
}

const STAGE_MS: Readonly<Record<Stage, number>> = {
  drain: 900,
  way: 1_100,
  return: 900,
  stays: 900,
}
const SHOWN_MAX = 24
const LOOK_MS = 100

/** By session. */
export const replays = signal<ReadonlyMap<string, Replay>>(new Map())

let timer: ReturnType<typeof setInterval> | null = null

/** Told that a move began, or changed. */
export function seeMove(move: Move): void {
  const shown = withSeen(replays.value, move, performance.now())
  replays.value = shown
  if (shown.size === 0 || timer !== null) return
  timer = setInterval(() => {
    replays.value = advance(replays.value, performance.now())
    if (replays.value.size > 0 || timer === null) return
    clearInterval(timer)
    timer = null
  }, LOOK_MS)
}

/** RP2. A move whose gain was measured later is not shown again. */
export function withSeen(
  shown: ReadonlyMap<string, Replay>,
  move: Move,
  nowMs: number,
): ReadonlyMap<string, Replay> {
  const known = shown.get(move.session)
  if (known?.move.id === move.id) {
    return new Map([...shown, [move.session, { ...known, move }]])
  }
  if (move.observed !== null || shown.size >= SHOWN_MAX) return shown
  return new Map([...shown, [move.session, { move, stage: 'drain', sinceMs: nowMs }]])
}

export function advance(
  shown: ReadonlyMap<string, Replay>,
  nowMs: number,
): ReadonlyMap<string, Replay> {
  const next = new Map<string, Replay>()
  let isSame = true
  for (const [session, replay] of shown) {
    const stage = nextStage(replay, nowMs)
    if (stage === replay.stage) next.set(session, replay)
    else isSame = false
    if (stage !== null && stage !== replay.stage) {
      next.set(session, { ...replay, stage, sinceMs: nowMs })
    }
  }
  return isSame ? shown : next
}

/** RP1. null: it has been shown. */
function nextStage({ move, stage, sinceMs }: Replay, nowMs: number): Stage | null {
  if (nowMs - sinceMs < STAGE_MS[stage]) return stage
  if (stage === 'drain') {
    if (move.outcome === null) return 'drain'
    return move.outcome === 'returned' ? 'way' : 'stays'
  }
  return stage === 'way' ? 'return' : null
}

/** Where a session is drawn: `member` is where it is. */
export function shownOn(member: string, replay: Replay | undefined): string {
  if (replay === undefined || replay.stage === 'stays') return member
  return replay.stage === 'drain' ? replay.move.from : replay.move.to
}
