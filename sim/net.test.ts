// What only the simulated network does: cuts, crashes, pauses, resets. The port's contract is in
// test/conformance/net.test.ts.
import { describe, expect, test } from 'vitest'
import type { Net, Stream, StreamOwner } from '../src/base/net.ts'
import { Prng } from '../src/base/prng.ts'
import { SimClock } from './clock.ts'
import { SimNet } from './net.ts'
import { Timeline } from './timeline.ts'

class Side implements StreamOwner {
  readonly log: string[] = []
  readonly bytes: number[] = []
  readonly stream: Stream

  constructor(stream: Stream) {
    this.stream = stream
    stream.own(this)
  }

  received(bytes: Uint8Array): void {
    this.bytes.push(...bytes)
  }

  ended(): void {
    this.log.push('ended')
  }

  written(): void {
    this.log.push('written')
  }

  closed(reason: string): void {
    this.log.push(`closed: ${reason}`)
  }
}

interface Scene {
  readonly timeline: Timeline
  readonly net: SimNet
  readonly clocks: { readonly a: SimClock; readonly b: SimClock }
  readonly hostA: Net
  readonly near: Side
  readonly far: Side
}

async function scene(seed = 1): Promise<Scene> {
  const timeline = new Timeline()
  const net = new SimNet(timeline, new Prng(seed))
  const clocks = { a: new SimClock(timeline), b: new SimClock(timeline) }
  const hostA = net.host('a', clocks.a)
  let far: Side | null = null
  await timeline.finish(
    net.host('b', clocks.b).listen({ kind: 'tcp', host: 'b', port: 3260 }, (stream) => {
      far = new Side(stream)
    }),
  )
  const connecting = hostA.connect({ kind: 'tcp', host: 'b', port: 3260 }, 1000)
  const near = await timeline.finish(connecting.then((stream) => new Side(stream)))
  await timeline.until(() => far !== null)
  return { timeline, net, clocks, hostA, near, far: far as unknown as Side }
}

const send = (side: Side, ...bytes: number[]) => side.stream.write(Uint8Array.from(bytes))

test('N1 many small writes arrive in order whatever the latency and the pieces', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { timeline, near, far } = await scene(seed)
    const sent: number[] = []
    for (let i = 0; i < 300; i++) {
      send(near, i & 255, (i >> 8) & 255)
      sent.push(i & 255, (i >> 8) & 255)
      if (i % 7 === 0) await timeline.run(timeline.nowMs + 0.1)
    }
    await timeline.until(() => far.bytes.length === sent.length)
    expect(far.bytes).toEqual(sent)
  }
})

test('N1 writes at odd moments behind a slow one arrive in order', async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const { timeline, near, far } = await scene(seed)
    const prng = new Prng(seed)
    const sent: number[] = []
    for (let i = 0; i < 40; i++) {
      sent.push(i)
      send(near, i)
      await timeline.run(timeline.nowMs + prng.unit() / 100)
    }
    await timeline.run(timeline.nowMs + 10)
    expect(far.bytes).toEqual(sent)
  }
})

test('N3 a writer that changes its bytes before written is found out', async () => {
  const { timeline, near } = await scene()
  const bytes = Uint8Array.of(1, 2, 3)
  near.stream.write(bytes)
  bytes[0] = 9
  await expect(timeline.run(timeline.nowMs + 10)).rejects.toThrow('changed before')
})

describe('N4 cuts', () => {
  test('N4 a cut that sticks delivers everything, in order, at the heal', async () => {
    const { timeline, net, near, far } = await scene()
    net.cut('a', 'b', 'stick')
    for (let i = 0; i < 50; i++) send(near, i)
    near.stream.end()
    await timeline.run(timeline.nowMs + 5000)
    expect(far.bytes).toEqual([])
    net.heal('a', 'b')
    send(near, 99)
    await timeline.until(() => far.log.includes('ended'))
    expect(far.bytes).toEqual(Array.from({ length: 50 }, (_, i) => i))
  })

  test('N4 a cut that drops loses the stream for good, silently; an idle stream survives it', async () => {
    const { timeline, net, near, far } = await scene()
    net.cut('a', 'b', 'drop')
    await timeline.run(timeline.nowMs + 100)
    net.heal('a', 'b')
    send(near, 1)
    await timeline.until(() => far.bytes.length === 1)
    net.cutOneWay('a', 'b', 'drop')
    send(near, 2)
    send(far, 7)
    await timeline.run(timeline.nowMs + 10)
    expect(near.bytes).toEqual([7])
    net.healAll()
    send(near, 3)
    near.stream.destroy()
    await timeline.run(timeline.nowMs + 5000)
    expect(far.bytes).toEqual([1])
    expect(far.log).toEqual(['written'])
  })

  test('N4 a connection through a cut fails at its limit, or comes late', async () => {
    const { timeline, net, hostA } = await scene()
    const to = { kind: 'tcp', host: 'b', port: 3260 } as const
    net.cut('a', 'b', 'drop')
    await expect(timeline.finish(hostA.connect(to, 500))).rejects.toThrow('no answer in 500 ms')
    net.cut('a', 'b', 'stick')
    const late = hostA.connect(to, 5000).then((stream) => new Side(stream))
    await timeline.run(timeline.nowMs + 100)
    net.heal('a', 'b')
    await timeline.finish(late, 100)
  })
})

test('N2 a reset destroys what its receiver had not read', async () => {
  const { timeline, near, far } = await scene()
  far.stream.pause()
  send(near, 1, 2, 3)
  await timeline.run(timeline.nowMs + 10)
  send(far, 5)
  near.stream.pause()
  await timeline.run(timeline.nowMs + 10)
  near.stream.destroy()
  await timeline.until(() => far.log.some((line) => line.startsWith('closed')))
  expect(far.bytes).toEqual([])
  expect(far.log).toEqual(['written', 'closed: reset by the other side'])
})

test('N2 a crashed process hears nothing, its streams are closed for the others', async () => {
  const { timeline, net, near, far } = await scene()
  send(near, 1)
  await timeline.until(() => far.bytes.length === 1)
  net.crash('b')
  await timeline.until(() => near.log.includes('ended'))
  send(near, 2)
  await timeline.run(timeline.nowMs + 100)
  // Down: nobody answers.
  expect(near.log.at(-1)).toBe('written')
  net.host('b', new SimClock(timeline))
  send(near, 3)
  await timeline.until(() => near.log.includes('closed: reset by the other side'))
  expect(far.log).toEqual([])
  expect(far.bytes).toEqual([1])
})

test('N2 a host that lost power is silent until it has started again', async () => {
  const { timeline, net, near } = await scene()
  net.crash('b', 'power')
  send(near, 1)
  await timeline.run(timeline.nowMs + 5000)
  expect(near.log).toEqual(['written'])
  net.host('b', new SimClock(timeline))
  send(near, 2)
  await timeline.until(() => near.log.includes('closed: reset by the other side'))
})

test('N1 what arrives at a paused process waits in its kernel', async () => {
  const { timeline, clocks, near, far } = await scene()
  clocks.b.pause()
  send(near, 1, 2)
  near.stream.end()
  await timeline.run(timeline.nowMs + 3000)
  expect(far.bytes).toEqual([])
  clocks.b.resume()
  await timeline.until(() => far.log.includes('ended'))
  expect(far.bytes).toEqual([1, 2])
})

test.each([true, false])(
  'N5 one host listens at the address of another that does not, on one machine alone (%s)',
  async (oneMachine) => {
    const timeline = new Timeline()
    const net = new SimNet(timeline, new Prng(1), { oneMachine })
    const hosts = ['a', 'b', 'c'].map((name) => net.host(name, new SimClock(timeline)))
    const [a, b, c] = hosts
    if (a === undefined || b === undefined || c === undefined) throw new Error('three hosts')
    const address = { kind: 'tcp', host: 'b', port: 3260 } as const
    const came: string[] = []
    const listen = (on: Net, name: string) =>
      timeline.finish(
        on.listen(address, (stream) => {
          came.push(`${name} as ${stream.localHost}`)
          new Side(stream)
        }),
      )
    const own = await listen(b, 'b')
    await expect(listen(a, 'a')).rejects.toThrow(oneMachine ? 'in use' : 'does not have it')
    await own.close()
    if (!oneMachine) return expect(listen(a, 'a')).rejects.toThrow('does not have it')
    const standIn = await listen(a, 'a')
    for (const other of [b, c]) await expect(listen(other, 'late')).rejects.toThrow('in use')
    const stream = await timeline.finish(c.connect(address, 1_000))
    stream.own(new Side({ own() {} } as unknown as Stream))
    await timeline.until(() => came.length === 1)
    await standIn.close()
    await listen(b, 'b')
    await timeline.finish(c.connect(address, 1_000))
    await timeline.until(() => came.length === 2)
    expect(came).toEqual(['a as b', 'b as b'])
  },
)
