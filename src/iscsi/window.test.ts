import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ahead } from './serial.ts'
import { CommandWindow, leastWindow, mostWindow } from './window.ts'

function fill(window: CommandWindow): number {
  let taken = 0
  while (!window.usedUp) {
    window.received(true)
    taken += 1
  }
  return taken
}

describe('CommandWindow', () => {
  it('places a CmdSN by serial arithmetic, over the wrap (§4.2.2.1)', () => {
    const window = new CommandWindow(0xfffffffe)
    expect(window.maxCmdSn).toBe(5)
    expect(window.place(0xfffffffe)).toBe('next')
    expect(window.place(5)).toBe('early')
    expect(window.place(6)).toBe('outside')
    expect(window.place(0xfffffffd)).toBe('outside')
  })

  it('V1 doubles when it is filled, up to its bound', () => {
    const window = new CommandWindow(1)
    let depth = 0
    for (let round = 0; round < 10; round += 1) {
      depth += fill(window)
      window.advance()
    }
    expect(depth).toBe(mostWindow)
    expect(window.usedUp).toBe(true)
    window.settled()
    window.advance()
    expect(window.usedUp).toBe(false)
    expect(fill(window)).toBe(1)
  })

  it('comes down to twice the depth of the last ten seconds', () => {
    const window = new CommandWindow(1)
    window.tick(0)
    for (let i = 0; i < 100; i += 1) {
      if (window.usedUp) window.advance()
      window.received(true)
    }
    expect(window.width).toBe(128)
    for (let i = 0; i < 100; i += 1) window.settled()
    for (const nowMs of [5000, 10_000]) {
      for (let i = 0; i < 10; i += 1) {
        window.advance()
        window.received(true)
      }
      for (let i = 0; i < 10; i += 1) window.settled()
      window.tick(nowMs)
      expect(window.width).toBe(128)
    }
    window.tick(15_000)
    expect(window.width).toBe(20)
    window.tick(20_000)
    window.tick(25_000)
    expect(window.width).toBe(leastWindow)
  })

  it('V2 is used up after at most its width while frozen, and goes on when reopened', () => {
    const window = new CommandWindow(1)
    window.freeze()
    expect(fill(window)).toBe(leastWindow)
    for (let i = 0; i < leastWindow; i += 1) window.settled()
    window.advance()
    expect(window.usedUp).toBe(true)
    window.reopen()
    window.advance()
    expect(window.usedUp).toBe(false)
  })

  it('S3 V1 whatever happens, MaxCmdSN is not lowered and the depth is bounded', () => {
    const names = ['receive', 'settle', 'advance', 'tick', 'freeze', 'reopen'] as const
    const steps = fc.array(fc.constantFrom(...names), { maxLength: 400 })
    fc.assert(
      fc.property(steps, fc.nat(0xffffffff), (list, start) => {
        const window = new CommandWindow(start)
        let depth = 0
        let nowMs = 0
        const take: Record<(typeof names)[number], () => void> = {
          receive: () => {
            if (window.usedUp) return
            window.received(true)
            depth += 1
          },
          settle: () => {
            if (depth === 0) return
            window.settled()
            depth -= 1
          },
          advance: () => window.advance(),
          tick: () => {
            nowMs += 3000
            window.tick(nowMs)
          },
          freeze: () => window.freeze(),
          reopen: () => window.reopen(),
        }
        for (const step of list) {
          const before = window.maxCmdSn
          take[step]()
          expect(ahead(before, window.maxCmdSn)).toBeGreaterThanOrEqual(0)
          expect(depth).toBeLessThanOrEqual(mostWindow)
        }
      }),
    )
  })
})
