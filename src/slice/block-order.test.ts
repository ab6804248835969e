import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type VolumeId, volumeId } from '../base/ids.ts'
import { BlockOrder, type Turn } from './block-order.ts'

interface Step {
  readonly kind: 'enter' | 'read' | 'leave'
  readonly volume: VolumeId
  readonly from: number
  readonly length: number
  readonly pick: number
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('enter' as const, 'enter' as const, 'read' as const, 'leave' as const),
    volume: fc.integer({ min: 1, max: 2 }).map(volumeId),
    from: fc.nat(12),
    length: fc.integer({ min: 1, max: 5 }),
    pick: fc.nat(),
  }),
  { maxLength: 60 },
)

interface Entered extends Turn {
  begun: boolean
  over: boolean
}

function overlaps(a: { volume: VolumeId; from: number; to: number }, b: typeof a): boolean {
  return a.volume === b.volume && a.from < b.to && b.from < a.to
}

/** Runs the steps and checks after each that exactly those have begun that nothing earlier holds up. */
function run(all: readonly Step[]): void {
  const order = new BlockOrder()
  const turns: Entered[] = []
  const reads: { extent: Step & { to: number }; after: Entered[]; begun: boolean }[] = []
  for (const step of all) {
    const extent = { ...step, to: step.from + step.length }
    if (step.kind === 'enter') {
      const turn: Entered = {
        ...extent,
        begun: false,
        over: false,
        begin: () => {
          turn.begun = true
        },
      }
      turns.push(turn)
      order.enter(turn)
    } else if (step.kind === 'read') {
      const after = turns.filter((turn) => !turn.over && overlaps(turn, extent))
      const read = { extent, after, begun: false }
      expect(order.isTaken(extent)).toBe(after.length > 0)
      const waiting = order.readAfter(extent, () => {
        expect(read.begun).toBe(false)
        read.begun = true
      })
      if (waiting === null) read.begun = true
      reads.push(read)
    } else {
      const running = turns.filter((turn) => turn.begun && !turn.over)
      const turn = running[step.pick % Math.max(1, running.length)]
      if (turn === undefined) continue
      turn.over = true
      order.leave(turn)
    }
    for (const [i, turn] of turns.entries()) {
      const held = turns.slice(0, i).some((earlier) => !earlier.over && overlaps(earlier, turn))
      expect(turn.begun).toBe(!held)
    }
    for (const read of reads) expect(read.begun).toBe(read.after.every((turn) => turn.over))
    expect(order.isIdle).toBe(turns.every((turn) => turn.over))
  }
}

describe('block order', () => {
  it('B1 B2 turns and reads begin when all that overlaps and came before has left', () => {
    fc.assert(fc.property(steps, run), { numRuns: 500 })
  })
})
