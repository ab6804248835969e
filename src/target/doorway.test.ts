import { describe, expect, it } from 'vitest'
import { portalOf } from '../../sim/settings.ts'
import { startGroup } from '../../test/kit/sim-group.ts'
import { memberId } from '../base/ids.ts'
import { Doorway, type Waiting } from './doorway.ts'
import { DOORWAY_MAX, DOORWAY_SOURCE_MAX } from './memory-bounds.ts'

class Visitor implements Waiting {
  readonly source: string
  isAwaited = true
  closed = false

  constructor(source: string) {
    this.source = source
  }

  close(): void {
    this.closed = true
  }
}

function crowd(doorway: Doorway, count: number, sourceOf: (i: number) => string): Visitor[] {
  return Array.from({ length: count }, (_, i) => {
    const visitor = new Visitor(sourceOf(i))
    doorway.came(visitor)
    return visitor
  })
}

describe('the doorway', () => {
  it('DW1 DW2 of too many from one address the first goes, and nobody of another', () => {
    const doorway = new Doorway()
    const [other] = crowd(doorway, 1, () => 'b')
    const many = crowd(doorway, DOORWAY_SOURCE_MAX + 3, () => 'a')
    expect(many.map(({ closed }) => closed).lastIndexOf(true)).toBe(2)
    expect(many.filter(({ closed }) => closed).length).toBe(3)
    expect(other?.closed).toBe(false)
  })

  it('DW1 DW2 of too many in all the first goes that the target waits for', () => {
    const doorway = new Doorway()
    const [deciding] = crowd(doorway, 1, () => 'x')
    deciding!.isAwaited = false
    const many = crowd(doorway, DOORWAY_MAX + 1, (i) => `a${i % 16}`)
    expect(deciding!.closed).toBe(false)
    expect(many.map(({ closed }) => closed).lastIndexOf(true)).toBe(1)
  })

  it('DW1 who has logged in or is gone does not count', () => {
    const doorway = new Doorway()
    const many = crowd(doorway, DOORWAY_SOURCE_MAX, () => 'a')
    for (const one of many) doorway.left(one)
    crowd(doorway, DOORWAY_SOURCE_MAX, () => 'a')
    expect(many.some(({ closed }) => closed)).toBe(false)
  })

  it('DW2 an initiator logs in through a crowd that says nothing, from its own address too', async () => {
    const scene = await startGroup(41)
    const { timeline, hostNet, connect, group } = scene
    const net = hostNet('host1') // the address that the initiator will have
    const silent = { closed: 0 }
    const open = async () => {
      const stream = await net.connect(portalOf(memberId('m1')), 1_000)
      stream.own({
        received() {},
        ended: () => stream.destroy(),
        written() {},
        closed: () => {
          silent.closed += 1
        },
      })
    }
    await timeline.finish(Promise.all(Array.from({ length: 2 * DOORWAY_SOURCE_MAX }, open)))
    await timeline.until(() => silent.closed === DOORWAY_SOURCE_MAX, 1_000)
    const initiator = await connect()
    const answer = await timeline.finish(initiator.write(0, new Uint8Array(group.blockBytes)))
    expect(answer).toMatchObject({ kind: 'answered', status: 0 })
  })
})
