// A member whose own event loop stood still finds timers that are over before it reads what came meanwhile.
import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimNet } from '../../sim/net.ts'
import { Timeline } from '../../sim/timeline.ts'
import {
  epoch,
  generation,
  type MemberId,
  memberId,
  sessionId,
  sliceId,
  volumeId,
} from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import { frameKind } from './frames.ts'
import { PeerLinks } from './links.ts'
import { noOperation } from './operation.ts'
import type { Request } from './request.ts'
import type { PeerServer } from './responder.ts'

const WORKS_MS = 50

/** Members a and b; b notes what it is asked, and answers after 50 ms. */
async function pair() {
  const timeline = new Timeline()
  const net = new SimNet(timeline, new Prng(1))
  const log: string[] = []
  const addressOf = (host: string) => ({ kind: 'tcp', host, port: 4000 }) as const
  const member = async (memberId: MemberId) => {
    const clock = new SimClock(timeline)
    const late = <T>(value: T) =>
      new Promise<T>((resolve) => clock.after(WORKS_MS, () => resolve(value)))
    const server: PeerServer = {
      control: (_, kind, body) => {
        log.push(kind)
        return late(body instanceof Uint8Array ? null : body)
      },
      operation: (_, { number }) => {
        log.push(`operation ${number}`)
        return late({ status: 0 })
      },
      fence: () => undefined,
      serving: () => Promise.resolve(),
    }
    const self = { groupId: 'g', memberId, bootId: memberId }
    const links = new PeerLinks({ self, net: net.host(memberId, clock), clock, addressOf, server })
    await timeline.finish(links.listen(addressOf(memberId)))
    return { clock, links }
  }
  return { timeline, log, a: await member(memberId('a')), b: await member(memberId('b')) }
}

it('P11 a member that stood still reads what has come before it gives anybody up', async () => {
  const { timeline, log, a } = await pair()
  expect(await timeline.finish(a.links.ask(memberId('b'), 'login', 0, 500))).toBe(0)
  await timeline.run(timeline.nowMs + 700)
  const settled: number[] = []
  const request: Request = {
    view: 1,
    checksums: null,
    operation: {
      ...noOperation,
      volume: volumeId(1),
      bytes: 4,
      slice: sliceId(3),
      session: sessionId(70),
      gen: generation(1),
      number: 1,
    },
    ...{ kind: frameKind.write, epoch: epoch(1), payload: new Uint8Array(4), into: null },
    settle: (status) => settled.push(status),
  }
  a.links.link(memberId('b')).request(request)
  const asked = a.links.ask(memberId('b'), 'probe', 7, 500)
  await timeline.run(timeline.nowMs + 10)
  a.clock.pause()
  await timeline.run(timeline.nowMs + 20_000)
  a.clock.resume()
  expect(await timeline.finish(asked)).toBe(7)
  expect(settled).toEqual([0])
  await timeline.run(timeline.nowMs + 2_000)
  expect(a.links.trouble(memberId('b'))).toBeNull()
  expect(a.links.link(memberId('b')).isServing).toBe(true)
  expect(log).toEqual(['login', 'operation 1', 'probe'])
})
