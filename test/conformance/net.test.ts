// One suite for both implementations of the Net port: real sockets and the simulated network.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimNet } from '../../sim/net.ts'
import { Timeline } from '../../sim/timeline.ts'
import type { Address, Listener, Net, Stream, StreamOwner } from '../../src/base/net.ts'
import { Prng } from '../../src/base/prng.ts'
import { SystemNet } from '../../src/io/net.ts'

interface World {
  /** Two hosts' views; the same one where both are on this machine. */
  readonly a: Net
  readonly b: Net
  readonly tcp: Address
  readonly unix: Address
  until(condition: () => boolean): Promise<void>
  finish<T>(promise: Promise<T>): Promise<T>
}

/** Records every call; `insideCall` is raised by the tests around calls on the stream. */
class Recorder implements StreamOwner {
  readonly calls: string[] = []
  readonly received_: number[] = []
  stream: Stream
  reason = ''
  depth = 0

  constructor(stream: Stream) {
    this.stream = stream
    stream.own(this)
  }

  #enter(call: string): void {
    if (this.depth !== 0) throw new Error(`${call} was called from inside a call on the stream`)
    this.calls.push(call)
  }

  /** Calls the stream; a call back meanwhile is a fault. */
  use(f: (stream: Stream) => void): void {
    this.depth++
    f(this.stream)
    this.depth--
  }

  received(bytes: Uint8Array): void {
    this.#enter('received')
    for (const byte of bytes) this.received_.push(byte)
  }

  ended(): void {
    this.#enter('ended')
  }

  written(): void {
    this.#enter('written')
  }

  closed(reason: string): void {
    this.#enter('closed')
    this.reason = reason
  }

  count(call: string): number {
    return this.calls.filter((x) => x === call).length
  }
}

interface Pair {
  readonly near: Recorder
  readonly far: Recorder
  readonly listener: Listener
}

async function pair(world: World, at: Address): Promise<Pair> {
  let far: Recorder | null = null
  const listener = await world.finish(
    world.b.listen(at, (stream) => {
      far = new Recorder(stream)
    }),
  )
  const near = await world.finish(
    world.a.connect(listener.address, 5000).then((stream) => new Recorder(stream)),
  )
  await world.until(() => far !== null)
  return { near, far: far as unknown as Recorder, listener }
}

const bytesOf = (n: number, seed = 1) =>
  Uint8Array.from({ length: n }, (_, i) => (i * 31 + seed) & 255)

function netConformance(name: string, open: () => Promise<World>): void {
  describe(`net conformance: ${name}`, () => {
    for (const kind of ['tcp', 'unix'] as const) {
      test(`bytes arrive in order in both directions (${kind})`, async () => {
        const world = await open()
        const { near, far, listener } = await pair(world, world[kind])
        near.use((s) => s.write(bytesOf(100_000, 1)))
        near.use((s) => s.write(bytesOf(7, 2)))
        far.use((s) => s.write(bytesOf(3000, 3)))
        await world.until(() => far.received_.length === 100_007 && near.received_.length === 3000)
        expect(far.received_).toEqual([...bytesOf(100_000, 1), ...bytesOf(7, 2)])
        expect(near.received_).toEqual([...bytesOf(3000, 3)])
        await world.until(() => near.count('written') === 2 && far.count('written') === 1)
        expect(near.stream.unwrittenBytes).toBe(0)
        near.use((s) => s.destroy())
        await world.until(() => near.count('closed') === 1)
        far.use((s) => s.destroy())
        await world.until(() => far.count('closed') === 1)
        await world.finish(listener.close())
      })
    }

    test('addresses: the port that was bound, the hosts of both sides', async () => {
      const world = await open()
      const { near, far, listener } = await pair(world, world.tcp)
      expect(listener.address.kind === 'tcp' && listener.address.port > 0).toBe(true)
      if (listener.address.kind === 'tcp') expect(far.stream.localPort).toBe(listener.address.port)
      expect(far.stream.localHost).toBe(near.stream.remoteHost)
      expect(far.stream.remoteHost).not.toBe('')
      near.use((s) => s.destroy())
      far.use((s) => s.destroy())
      await world.finish(listener.close())
    })

    test('N2 a half-closed stream still carries bytes the other way; both FINs close it', async () => {
      const world = await open()
      const { near, far, listener } = await pair(world, world.tcp)
      near.use((s) => s.write(bytesOf(10)))
      near.use((s) => s.end())
      near.use((s) => s.write(bytesOf(5)))
      await world.until(() => far.count('ended') === 1)
      expect(far.received_).toHaveLength(10)
      expect(near.count('closed')).toBe(0)
      far.use((s) => s.write(bytesOf(20)))
      await world.until(() => near.received_.length === 20)
      far.use((s) => s.end())
      await world.until(() => near.count('closed') === 1 && far.count('closed') === 1)
      for (const side of [near, far]) {
        expect(side.count('ended')).toBe(1)
        expect(side.calls.at(-1)).toBe('closed')
      }
      await world.finish(listener.close())
    })

    test('N2 destroy closes once and tells the other side', async () => {
      const world = await open()
      const { near, far, listener } = await pair(world, world.tcp)
      near.use((s) => s.destroy())
      near.use((s) => s.destroy())
      near.use((s) => s.write(bytesOf(5)))
      near.use((s) => s.end())
      await world.until(() => near.count('closed') === 1)
      expect(near.count('written')).toBe(0)
      await world.until(() => far.count('ended') + far.count('closed') > 0)
      // Who goes on writing to it is reset.
      for (let i = 0; i < 3; i++) far.use((s) => s.write(bytesOf(1000)))
      await world.until(() => far.count('closed') === 1 || far.stream.unwrittenBytes === 0)
      far.use((s) => s.write(bytesOf(1000)))
      await world.until(() => far.count('closed') === 1)
      expect(far.count('closed')).toBe(1)
      expect(far.calls.at(-1)).toBe('closed')
      expect(near.count('closed')).toBe(1)
      await world.finish(listener.close())
    })

    test('N3 pause holds received back, and written waits in the end', async () => {
      const world = await open()
      const { near, far, listener } = await pair(world, world.tcp)
      far.use((s) => s.pause())
      const big = bytesOf(1 << 20)
      for (let i = 0; i < 24; i++) near.use((s) => s.write(big))
      await world.until(() => near.stream.unwrittenBytes > 0)
      let turns = 0
      await world.until(() => ++turns > 20)
      expect(near.count('written')).toBeLessThan(24)
      expect(far.received_.length).toBe(0)
      const before = far.calls.length
      far.received_.push = () => 0
      far.use((s) => s.resume())
      await world.until(() => near.count('written') === 24)
      expect(near.stream.unwrittenBytes).toBe(0)
      expect(far.calls.length).toBeGreaterThan(before)
      near.use((s) => s.destroy())
      far.use((s) => s.destroy())
      await world.finish(listener.close())
    })

    for (const kind of ['tcp', 'unix'] as const) {
      test(`an address in use is refused by name, and free after close (${kind})`, async () => {
        const world = await open()
        const first = await world.finish(world.b.listen(world[kind], (s) => s.destroy()))
        const wanted =
          first.address.kind === 'tcp' ? String(first.address.port) : first.address.path
        const second = world.b.listen(first.address, (s) => s.destroy())
        await expect(world.finish(second)).rejects.toThrow(wanted)
        await world.finish(first.close())
        const third = await world.finish(world.b.listen(first.address, (s) => s.destroy()))
        await world.finish(third.close())
      })
    }

    test('connecting where nobody listens rejects and names the address', async () => {
      const world = await open()
      const listener = await world.finish(world.b.listen(world.tcp, (s) => s.destroy()))
      await world.finish(listener.close())
      const port = listener.address.kind === 'tcp' ? listener.address.port : 0
      const connecting = world.a.connect(listener.address, 5000)
      await expect(world.finish(connecting)).rejects.toThrow(`:${port}`)
    })

    test('a closed listener leaves its streams alone', async () => {
      const world = await open()
      const { near, far, listener } = await pair(world, world.tcp)
      const closing = listener.close()
      near.use((s) => s.write(bytesOf(9)))
      await world.until(() => far.received_.length === 9)
      near.use((s) => s.destroy())
      far.use((s) => s.destroy())
      await world.finish(closing)
    })
  })
}

const folder = await mkdtemp(join(tmpdir(), 'evenkeel-net-'))
afterAll(() => rm(folder, { recursive: true }))
let sockets = 0

netConformance('io/net', async () => {
  const net = new SystemNet()
  return {
    a: net,
    b: net,
    tcp: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    unix: { kind: 'unix', path: join(folder, `${sockets++}.sock`) },
    async until(condition) {
      const deadline = performance.now() + 20_000
      while (!condition()) {
        if (performance.now() > deadline) throw new Error('the condition did not come about')
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    },
    finish: (promise) => promise,
  }
})

netConformance('sim/net', async () => {
  const timeline = new Timeline()
  const net = new SimNet(timeline, new Prng(7))
  const b = net.host('b', new SimClock(timeline))
  // A Unix socket joins processes of one host: both ends of that pair are on b.
  const a = net.host('a', new SimClock(timeline))
  return {
    a: { listen: a.listen, connect: (to, ms) => (to.kind === 'unix' ? b : a).connect(to, ms) },
    b,
    tcp: { kind: 'tcp', host: 'b', port: 0 },
    unix: { kind: 'unix', path: '/b.sock' },
    until: async (condition) => {
      // Polls as the real one does: a condition may count its own evaluations.
      let tick: () => void = () => {}
      tick = () => {
        timeline.after(1, tick)
      }
      tick()
      await timeline.until(condition)
    },
    finish: (promise) => timeline.finish(promise),
  }
})

describe('io/net alone', () => {
  test('a socket file that a killed process left behind does not stop its successor', async () => {
    const net = new SystemNet()
    const path = join(folder, 'stale.sock')
    const { spawnSync } = await import('node:child_process')
    const program = `require('node:net').createServer().listen(${JSON.stringify(path)},()=>process.kill(process.pid,'SIGKILL'))`
    expect(spawnSync(process.execPath, ['-e', program]).signal).toBe('SIGKILL')
    const listener = await net.listen({ kind: 'unix', path }, (s) => s.destroy())
    await listener.close()
  })

  test('a path that the kernel would cut off is refused', async () => {
    const path = `/tmp/${'x'.repeat(200)}`
    await expect(new SystemNet().listen({ kind: 'unix', path }, () => {})).rejects.toThrow('107')
  })
})
