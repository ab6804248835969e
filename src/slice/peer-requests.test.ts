import { expect, it } from 'vitest'
import { epoch, generation, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { frameKind } from '../peer/frames.ts'
import type { Incoming } from '../peer/incoming.ts'
import { PeerRequests } from './peer-requests.ts'

function scene() {
  const requests = new PeerRequests({
    epochOf: (slice) => epoch(slice === 1 ? 7 : 0),
    isOfView: (_volume, view) => view === 3,
    read: () => 'done',
    checksums: () => Uint32Array.of(5),
    copies: { answer: () => ({ status: 7 }) },
    mutate: (mutation) => {
      mutation.seq = 9
      return 'done'
    },
  })
  const ask = (some: Partial<Incoming>) =>
    requests.answer({
      ...{
        kind: frameKind.write,
        volume: volumeId(1),
        slice: sliceId(1),
        epoch: epoch(7),
        view: 3,
        offset: 0,
        bytes: 4096,
      },
      ...{ session: sessionId(5), gen: generation(1), number: 1, acknowledged: 0, seq: 0 },
      ...{ checksums: null, edges: null },
      ...{ into: new Uint8Array(4096), payload: null, data: new Uint8Array(4096), verify: null },
      ...some,
    })
  return { requests, ask }
}

it('W6 what is done for other members counts by operations, and by the bytes that move', async () => {
  const { requests, ask } = scene()
  await ask({})
  await ask({ kind: frameKind.unmap, bytes: 2 ** 30, data: null })
  await ask({ kind: frameKind.read, number: 0 })
  expect(requests.handled).toEqual({ pieces: 3, bytes: 2 * 4096 })
})

it('a request of another epoch, or for a slice of another member, is stale', async () => {
  const { ask } = scene()
  const stale = await ask({ epoch: epoch(6) })
  expect(await ask({ slice: sliceId(2), epoch: epoch(0) })).toEqual(stale)
  expect(await ask({})).not.toEqual(stale)
})

it('V9 a request of another view of its volume is stale', async () => {
  const { ask } = scene()
  const stale = await ask({ slice: sliceId(2), epoch: epoch(0) })
  for (const view of [2, 4]) {
    expect(await ask({ view })).toEqual(stale)
    expect(await ask({ view, kind: frameKind.read, number: 0 })).toEqual(stale)
  }
  expect(await ask({ kind: frameKind.read, number: 0 })).not.toEqual(stale)
})

it("a mutation's answer has its place in the order of its slice", async () => {
  const { ask } = scene()
  expect(await ask({})).toEqual({ status: 0, epoch: epoch(7), seq: 9 })
  expect(await ask({ kind: frameKind.read, number: 0 })).not.toHaveProperty('seq')
  expect(await ask({ kind: frameKind.read, number: 0 })).toMatchObject({
    checksums: Uint32Array.of(5),
  })
})

it('what no gateway asks for closes its stream', () => {
  const { ask } = scene()
  for (const wrong of [{ bytes: 0 }, { offset: 16 * 2 ** 20 - 512 }, { number: 0 }]) {
    expect(() => ask(wrong)).toThrow()
  }
  expect(() => ask({ acknowledged: 1 })).toThrow(/acknowledged before/)
})
