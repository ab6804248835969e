// The Clock port. Everything that is not in io/ or an edge room learns the time and waits only through it, so that the
// simulator can run a whole group in virtual time. Implemented by io/clock.ts and sim/clock.ts alone.

export interface Timer {
  /** Idempotent; a cancelled timer never fires. */
  cancel(): void
}

export interface Clock {
  /** Monotonic milliseconds with fractions; only differences mean something, and only on one member. */
  nowMs(): number
  /** Milliseconds since 1970 for records that people read; may jump, so nothing is decided by it but to ask once more (BC2 of slice/beacons.ts). */
  wallMs(): number
  /** Calls `f` once, not before `delayMs` have passed. */
  after(delayMs: number, f: () => void): Timer
  /** Calls `f` once at the end of this turn of the event loop: the place to send what a turn has gathered in one write. */
  soon(f: () => void): void
}

/** ISO time of a moment on this clock, for people. */
export function isoAt(clock: Pick<Clock, 'nowMs' | 'wallMs'>, atMs: number): string {
  return new Date(clock.wallMs() - (clock.nowMs() - atMs)).toISOString()
}

/** Of a wait by which another one is judged. */
const TURNS = 4

/**
 * As `after`, for whoever judges another by it: the wait is cut into turns, each begun when the one before has ended. A
 * loop that stood still for however long has then ended one turn only, and reads what came meanwhile before it judges.
 */
export function afterTurns(clock: Clock, delayMs: number, f: () => void): Timer {
  let left = TURNS
  let timer = clock.after(delayMs / TURNS, turn)
  function turn(): void {
    left -= 1
    if (left === 0) f()
    else timer = clock.after(delayMs / TURNS, turn)
  }
  return { cancel: () => timer.cancel() }
}

/**
 * How long a round that comes every `everyMs` waits: until a full multiple of `beatMs` on this clock, so that the rounds of
 * a resting process wake it together. By half a beat more or less than the period, however late this round was.
 */
export function untilBeat(clock: Clock, everyMs: number, beatMs = everyMs): number {
  const waitMs = everyMs - (clock.nowMs() % beatMs)
  return waitMs < everyMs - beatMs / 2 ? waitMs + beatMs : waitMs
}

export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve)
  })
}

/** Settles in a later turn of the event loop: for work that is done some at a time. */
export function turnOf(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.soon(resolve)
  })
}

/** The promise's value, or `otherwise` when it has not settled within `limitMs` (`afterTurns`). A rejection passes through. */
export function within<T, U>(
  clock: Clock,
  limitMs: number,
  promise: Promise<T>,
  otherwise: U,
): Promise<T | U> {
  return new Promise((resolve, reject) => {
    const timer = afterTurns(clock, limitMs, () => resolve(otherwise))
    promise.then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error)
      },
    )
  })
}
