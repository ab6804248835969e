import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ahead } from './serial.ts'
import { CommandWindow, leastWindow, mostWindow } from './window.ts'

/** ExpStatSN of an initiator that has seen everything: the depth is then what the target sees. */
const seenAll = 0x40000000

function fill(window: CommandWindow): number {
  let taken = 0
  while (!window.usedUp) {
    window.accepted(seenAll)
    taken += 1
  }
  return taken
}

describe('CommandWindow', () => {
  it('places a CmdSN by serial arithmetic, over the wrap (§4.2.2.1)', () => {
    const window = new CommandWindow(0xfffffffe, 1)
    expect(window.maxCmdSn).toBe(5)
    expect(window.place(0xfffffffe)).toBe('next')
    expect(window.place(5)).toBe('early')
    expect(window.place(6)).toBe('outside')
    expect(window.place(0xfffffffd)).toBe('outside')
  })

  it('V1 doubles when it is filled, up to its bound', () => {
    const window = new CommandWindow(1, 1)
    let depth = 0
    for (let round = 0; round < 10; round += 1) {
      depth += fill(window)
      window.advance()
    }
    expect(depth).toBe(mostWindow)
    expect(window.usedUp).toBe(true)
    window.answered()
    window.advance()
    expect(window.usedUp).toBe(false)
    expect(fill(window)).toBe(1)
  })

  it("sees the initiator's depth though every command is answered in its turn", () => {
    const window = new CommandWindow(1, 50)
    let statSn = 50
    const sendBurst = (count: number) => {
      const expStatSn = statSn
      for (let i = 0; i < count; i += 1) {
        expect(window.usedUp).toBe(false)
        window.accepted(expStatSn)
        window.answered()
        statSn += 1
        window.advance()
      }
    }
    for (let round = 0; round < 5; round += 1) sendBurst(7)
    expect(window.width).toBe(8)
    sendBurst(8)
    expect(window.width).toBe(16)
    sendBurst(16)
    sendBurst(32)
    expect(window.width).toBe(64)
    window.otherStatus()
    statSn += 1
    window.accepted(statSn)
    window.forgotten()
    for (let round = 0; round < 5; round += 1) sendBurst(32)
    expect(window.width).toBe(64)
    for (const nowMs of [0, 5000, 10_000]) {
      sendBurst(6)
      window.tick(nowMs)
    }
    expect(window.width).toBe(12)
  })

  it('S3 comes down to twice the depth of the last ten seconds, and takes nothing back', () => {
    const window = new CommandWindow(1, 1)
    window.tick(0)
    for (let i = 0; i < 100; i += 1) {
      if (window.usedUp) window.advance()
      window.accepted(seenAll)
    }
    expect(window.width).toBe(128)
    for (let i = 0; i < 100; i += 1) window.answered()
    for (const nowMs of [5000, 10_000]) {
      for (let i = 0; i < 10; i += 1) {
        window.advance()
        window.accepted(seenAll)
      }
      for (let i = 0; i < 10; i += 1) window.answered()
      window.tick(nowMs)
      expect(window.width).toBe(128)
    }
    const told = window.maxCmdSn
    window.tick(15_000)
    expect(window.width).toBe(20)
    window.advance()
    expect(window.maxCmdSn).toBe(told)
    window.tick(20_000)
    window.tick(25_000)
    expect(window.width).toBe(leastWindow)
  })

  it('V3 narrowed, it lets what was given be used up, and then as many go on as were under way', () => {
    const window = new CommandWindow(1, 1)
    window.advance()
    for (let i = 0; i < 3; i += 1) window.accepted(seenAll)
    for (let i = 0; i < 3; i += 1) window.answered()
    window.narrow()
    let before = window.maxCmdSn
    let given = 0
    while (!window.isNarrow) {
      window.accepted(seenAll)
      window.answered()
      window.advance()
      expect(window.maxCmdSn).toBe(before)
      given += 1
    }
    expect(given).toBeGreaterThan(0)
    // One at a time goes on: each gets its credit with the answer to the last.
    for (let i = 0; i < 20; i += 1) {
      window.accepted(seenAll)
      window.answered()
      window.advance()
      expect(window.usedUp).toBe(false)
      expect(window.isNarrow).toBe(true)
    }
    window.freeze()
    expect(fill(window)).toBe(1)
    window.reopen()
    before = window.maxCmdSn
    window.advance()
    expect(ahead(before, window.maxCmdSn)).toBeGreaterThan(1)
  })

  it('V2 is used up after at most its width while frozen, and goes on when reopened', () => {
    const window = new CommandWindow(1, 1)
    window.freeze()
    expect(fill(window)).toBe(leastWindow)
    for (let i = 0; i < leastWindow; i += 1) window.answered()
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
        const window = new CommandWindow(start, 1)
        let depth = 0
        let nowMs = 0
        const take: Record<(typeof names)[number], () => void> = {
          receive: () => {
            if (window.usedUp) return
            window.accepted(seenAll)
            depth += 1
          },
          settle: () => {
            if (depth === 0) return
            window.answered()
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
