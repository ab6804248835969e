import { expect, it } from 'vitest'
import { DONE, operation, World } from '../../test/kit/peer-links.ts'
import { memberId } from '../base/ids.ts'
import { checksumsOf, frameKind } from './frames.ts'

it('P13 an answer that fails its checksums is asked for once more, then the read is damaged', async () => {
  const world = new World()
  const [a, b] = await world.pair()
  const checksums = Uint32Array.of(1)
  let times = 1
  b.answer = ({ into }) => {
    times -= 1
    const bytes = into?.fill(7) ?? new Uint8Array()
    return times < 0 ? { ...DONE, bytes } : { ...DONE, bytes, checksums }
  }
  const ask = (number: number) =>
    operation(number, { kind: frameKind.read, payload: null, into: new Uint8Array(4096) })
  const once = ask(1)
  a.links.link(memberId('b')).request(once)
  await world.timeline.until(() => once.settled !== null)
  expect(once.settled).toBe('0@0')
  expect(once.into).toEqual(new Uint8Array(4096).fill(7))
  times = 2
  const twice = ask(2)
  a.links.link(memberId('b')).request(twice)
  await world.timeline.until(() => twice.settled !== null)
  expect(twice.settled).toBe('4@0')
  expect(b.log).toEqual(['operation 1', 'operation 1', 'operation 2', 'operation 2'])
})

it('P13 a write whose bytes have changed since they entered comes to damaged, and reaches no primary', async () => {
  const world = new World()
  const [a, b] = await world.pair()
  const payload = new Uint8Array(100_000).fill(7)
  const sent = operation(1, { payload, checksums: checksumsOf(payload, 0) })
  payload[70_000] = 8
  a.links.link(memberId('b')).request(sent)
  await world.timeline.until(() => sent.settled !== null)
  expect(sent.settled).toBe('4@0')
  expect(b.log).toEqual([])
})

it('F3 a write comes with the checksums that were made where it entered, wherever it is cut', async () => {
  const world = new World()
  const [a, b] = await world.pair()
  const payload = new Uint8Array(200_000).map((_, i) => i * 7)
  const checksums = checksumsOf(payload, 1024)
  const sent = operation(1, { payload, checksums, offset: 5 * 4096 + 1024 })
  a.links.link(memberId('b')).request(sent)
  await world.timeline.until(() => sent.settled !== null)
  expect(b.operations[0]?.payload).toEqual(payload)
  expect(b.operations[0]?.checksums).toEqual(checksums)
})
