// The real Clock: Node's monotonic clock and timers.
import type { Clock, Timer } from '../base/clock.ts'

export class SystemClock implements Clock {
  nowMs(): number {
    return performance.now()
  }

  wallMs(): number {
    return Date.now()
  }

  after(delayMs: number, f: () => void): Timer {
    // setTimeout cuts fractions off and may fire up to a millisecond early; the port promises "not before".
    const timer = setTimeout(f, Math.ceil(delayMs) + 1)
    return { cancel: () => clearTimeout(timer) }
  }

  soon(f: () => void): void {
    setImmediate(f)
  }
}
