import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { generation, sessionId, sliceId, volumeId } from '../base/ids.ts'
import type { CompareOutcome } from '../slice/outcome.ts'
import type { Slices } from '../slice/slices.ts'
import { Forward, type ForwardDeps, type Piece, Sending } from './forward.ts'

const bytes = {
  volume: volumeId(1),
  slice: sliceId(0),
  offset: 0,
  bytes: 4096,
  verify: null,
  session: sessionId(5),
  gen: generation(1),
}
const first = { ...bytes, number: 1, acknowledged: 0, seq: 0, checksums: null }
const write: Piece = { ...first, verb: 'write', data: new Uint8Array(4096), into: null }
const read: Piece = { ...first, number: 0, verb: 'read', data: null, into: new Uint8Array(4096) }

/** An operation whose slice has come to this member; `over` ends what the primary does with its buffers. */
function carriedOutHere(piece: Piece) {
  const { promise, resolve: over } = Promise.withResolvers<CompareOutcome>()
  return { ...begun(piece, () => promise), over }
}

/** An operation whose slice is this member's; `primary` says what comes of each attempt. */
function begun(piece: Piece, primary: () => Promise<CompareOutcome> | 'stale') {
  const timeline = new Timeline()
  const slices = { mutate: primary, read: primary } as unknown as Slices
  const deps = {
    self: 'a',
    clock: new SimClock(timeline),
    group: { slices: [{ primary: 'a', epoch: 2 }] },
    slices,
    peers: { link: () => expect.unreachable('it is here') },
  } as unknown as ForwardDeps
  const sending = new Sending(sessionId(5), generation(1))
  let outcome: CompareOutcome | null = null
  void new Forward(deps, sending, piece).outcome.then((settled) => {
    outcome = settled
  })
  return { timeline, sending, outcome: () => outcome }
}

for (const piece of [write, read]) {
  it(`W4 a ${piece.verb} that is carried out here when its session ends keeps its buffers until that is over`, async () => {
    for (const late of ['done', 'stale'] as const) {
      const { timeline, sending, over, outcome } = carriedOutHere(piece)
      sending.drop()
      await timeline.run(1_000)
      expect(outcome()).toBeNull()
      over(late as CompareOutcome)
      await timeline.run(2_000)
      expect(outcome()).toBe('refused')
      expect(sending.underWay.size).toBe(0)
    }
  })
}

for (const piece of [write, read]) {
  it(`W4 a ${piece.verb} that waits until its member serves the slice is refused as soon as its session ends`, async () => {
    let asked = 0
    const { timeline, sending, outcome } = begun(piece, () => {
      asked += 1
      return 'stale'
    })
    await timeline.run(100)
    expect([asked, outcome()]).toEqual([6, null])
    sending.drop()
    await Promise.resolve()
    expect([sending.underWay.size, outcome()]).toEqual([0, 'refused'])
    await timeline.run(200)
    expect(asked).toBe(6)
  })
}
