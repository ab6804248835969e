// The real Clock.
import { performance } from 'node:perf_hooks'
import type { Clock, Timer } from '../base/clock.ts'

export class RealClock implements Clock {
  nowMs(): number {
    return performance.now()
  }

  wallMs(): number {
    return Date.now()
  }

  after(delayMs: number, f: () => void): Timer {
    const timer = setTimeout(f, delayMs)
    return { cancel: () => clearTimeout(timer) }
  }

  soon(f: () => void): void {
    setImmediate(f)
  }
}
