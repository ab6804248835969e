// The Clock port. Everything that is not in io/ or an edge room learns the time and waits only through it, so that the
// simulator can run a whole group in virtual time. Implemented by io/clock.ts and sim/clock.ts alone.

export interface Timer {
  /** Idempotent; a cancelled timer never fires. */
  cancel(): void
}

export interface Clock {
  /** Monotonic milliseconds with fractions; only differences mean something, and only on one member. */
  nowMs(): number
  /** Milliseconds since 1970 for records that people read; may jump, so nothing is decided by it. */
  wallMs(): number
  /** Calls `f` once, not before `delayMs` have passed. */
  after(delayMs: number, f: () => void): Timer
  /** Calls `f` once at the end of this turn of the event loop: the place to send what a turn has gathered in one write. */
  soon(f: () => void): void
}

export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve)
  })
}

/** The promise's value, or `otherwise` when it has not settled within `limitMs`. A rejection passes through. */
export function within<T, U>(
  clock: Clock,
  limitMs: number,
  promise: Promise<T>,
  otherwise: U,
): Promise<T | U> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(limitMs, () => resolve(otherwise))
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
