import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimNet } from '../../sim/net.ts'
import { Timeline } from '../../sim/timeline.ts'
import { sleep } from '../base/clock.ts'
import {
  epoch,
  generation,
  type MemberId,
  memberId,
  sessionId,
  sliceId,
  volumeId,
} from '../base/ids.ts'
import type { Address } from '../base/net.ts'
import { Prng } from '../base/prng.ts'
import { frameKind } from './frames.ts'
import { PeerLinks } from './links.ts'
import { noOperation } from './operation.ts'
import type { Request } from './request.ts'
import type { PeerServer } from './responder.ts'

const BYTES = 100_000

it('P8 buffers of requests are used again, but not before they are answered and framed', async () => {
  const timeline = new Timeline()
  const net = new SimNet(timeline, new Prng(1))
  const used = new Set<ArrayBuffer>()
  const linksOf = (id: MemberId, operation: PeerServer['operation']) => {
    const clock = new SimClock(timeline)
    const server: PeerServer = {
      control: () => null,
      fence: () => {},
      serving: () => Promise.resolve(),
      operation,
    }
    const addressOf = (member: MemberId): Address => ({ kind: 'tcp', host: member, port: 4000 })
    const self = { groupId: 'g', memberId: id, bootId: id }
    const links = new PeerLinks({ self, net: net.host(id, clock), clock, addressOf, server })
    return { links, clock, listening: links.listen(addressOf(id)) }
  }
  const a = linksOf(memberId('a'), () => ({ status: 0 }))
  const b = linksOf(memberId('b'), async (_from, { number, payload, into }) => {
    // Later requests come and go while this one is under way; what comes later goes first.
    into?.fill(number)
    await sleep(b.clock, 100 - number)
    if (into === null) {
      expect(payload?.every((byte) => byte === number)).toBe(true)
      return { status: 0 }
    }
    used.add(into.buffer)
    return { status: 0, bytes: into }
  })
  await timeline.finish(Promise.all([a.listening, b.listening]))
  const reads: { readonly number: number; readonly into: Uint8Array; done: boolean }[] = []
  for (let number = 1; number <= 90; number += 1) {
    const one = { number, into: new Uint8Array(BYTES), done: false }
    const isRead = number % 3 !== 0
    if (isRead) reads.push(one)
    a.links.link(memberId('b')).request(request(one, isRead))
    if (number % 10 === 0) await timeline.run(timeline.nowMs + 60)
  }
  await timeline.until(() => reads.every(({ done }) => done))
  for (const { number, into } of reads) expect(into.every((byte) => byte === number)).toBe(true)
  expect(used.size).toBeLessThan(reads.length)
})

function request(
  one: { number: number; into: Uint8Array; done: boolean },
  isRead: boolean,
): Request {
  const { number } = one
  return {
    kind: isRead ? frameKind.read : frameKind.write,
    operation: {
      ...noOperation,
      volume: volumeId(1),
      bytes: BYTES,
      slice: sliceId(1),
      session: sessionId(1),
      gen: generation(1),
      number,
    },
    epoch: epoch(1),
    view: 1,
    checksums: null,
    payload: isRead ? null : new Uint8Array(BYTES).fill(number),
    into: isRead ? one.into : null,
    settle: (status) => {
      expect(status).toBe(0)
      one.done = true
    },
  }
}
