// The sender against a stream that writes only when it is told to.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import type { Stream } from '../base/net.ts'
import { FrameReader, frameFields, frameKind, isOrdered, lastFlag } from './frames.ts'
import { Sender } from './sender.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** A chunk that is being filled may pass the bound by what it holds. */
const UNWRITTEN_MAX = MIB + 256 * KIB

/** Keeps views, as a stream does, and reads them only when they are written. */
class SlowStream implements Stream {
  readonly remoteHost = ''
  readonly localHost = ''
  readonly localPort = 0
  readonly parts: Uint8Array[] = []
  unwrittenBytes = 0
  mostBytes = 0
  mostParts = 0
  isEnded = false

  writeAll(parts: readonly Uint8Array[]): void {
    for (const part of parts) this.write(part)
  }

  write(bytes: Uint8Array): void {
    if (this.isEnded) throw new Error('written after the end')
    this.parts.push(bytes)
    this.unwrittenBytes += bytes.length
    this.mostBytes = Math.max(this.mostBytes, this.unwrittenBytes)
    this.mostParts = Math.max(this.mostParts, this.parts.length)
  }

  end(): void {
    this.isEnded = true
  }

  own(): void {}
  destroy(): void {}
  pause(): void {}
  resume(): void {}
}

interface Sent {
  readonly kind: number
  readonly request: number
  readonly bytes: number
  readonly isLast: boolean
  readonly payload: Uint8Array
}

function bench() {
  const timeline = new Timeline()
  const stream = new SlowStream()
  const sender = new Sender(stream, new SimClock(timeline))
  const reader = new FrameReader()
  const frames: Sent[] = []

  const send = (request: number, payload: Uint8Array | null, kind: number = frameKind.write) =>
    sender.send(frameFields(kind, request), payload)

  /** The stream writes its oldest chunk; false: there is none. */
  function writeOne(): boolean {
    const part = stream.parts.shift()
    if (part === undefined) return false
    reader.push(part)
    for (let frame = reader.next(); frame !== null; frame = reader.next()) {
      const { kind, request, payloadBytes, flags, payload } = frame
      const isLast = (flags & lastFlag) !== 0
      frames.push({ kind, request, bytes: payloadBytes, isLast, payload: payload.slice() })
    }
    stream.unwrittenBytes -= part.length
    sender.written()
    return true
  }

  async function writeAll(): Promise<void> {
    do await timeline.run(timeline.nowMs + 1)
    while (writeOne())
  }

  /** Whole messages in the order in which their last frames came. */
  const whole = () => frames.filter(({ isLast }) => isLast).map(({ request }) => request)
  return { timeline, stream, sender, frames, send, writeOne, writeAll, whole }
}

function filled(bytes: number, seed: number): Uint8Array {
  return new Uint8Array(bytes).map((_, i) => (i * 31 + seed) >> 2)
}

function payloadOf(frames: readonly Sent[], request: number): Uint8Array {
  const parts = frames.filter((one) => one.request === request).map(({ payload }) => payload)
  return Buffer.concat(parts)
}

const message = fc.record({
  bytes: fc.oneof(
    fc.constantFrom(0, 1, 4 * KIB, 16 * KIB),
    fc.constantFrom(16 * KIB + 1, 64 * KIB, 64 * KIB + 1, 300 * KIB),
  ),
  writes: fc.integer({ min: 0, max: 3 }),
})

describe('the sender of a stream', () => {
  it('Q1 short messages keep their order; a long one is whole after those that were sent before it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 40 }), async (messages) => {
        const b = bench()
        for (const [at, { bytes, writes }] of messages.entries()) {
          b.send(at + 1, filled(bytes, at))
          for (let i = 0; i < writes; i += 1) {
            await b.timeline.run(b.timeline.nowMs + 1)
            b.writeOne()
          }
        }
        await b.writeAll()
        const order = b.whole()
        const isShort = (request: number) => (messages[request - 1]?.bytes ?? 0) <= 16 * KIB
        expect(order.toSorted((x, y) => x - y)).toEqual(messages.map((_, at) => at + 1))
        expect(order.filter(isShort)).toEqual(order.filter(isShort).toSorted((x, y) => x - y))
        for (const [place, request] of order.entries()) {
          if (isShort(request)) continue
          const later = order.slice(place + 1)
          expect(later.filter((other) => other < request && isShort(other))).toEqual([])
        }
        for (const [at, { bytes }] of messages.entries()) {
          expect(Buffer.compare(payloadOf(b.frames, at + 1), filled(bytes, at))).toBe(0)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('Q1 a short message passes a long one that is under way, and long ones take turns', async () => {
    const b = bench()
    b.send(1, filled(4 * MIB, 1))
    b.send(2, filled(4 * MIB, 2))
    await b.timeline.run(1)
    b.writeOne()
    b.send(3, filled(4 * KIB, 3))
    await b.writeAll()
    const place = b.frames.findIndex(({ request }) => request === 3)
    const before = b.frames.slice(0, place).reduce((sum, { bytes }) => sum + bytes, 0)
    expect(before).toBeGreaterThan(0)
    expect(before).toBeLessThan(MIB)
    const turns = b.frames.filter(({ request }) => request !== 3).map(({ request }) => request)
    expect(turns).toEqual(turns.map((_, at) => (at % 2) + 1))
  })

  it('Q3 what copies are sent keeps its order, short or long, and comes whole', async () => {
    const kinds = fc.constantFrom(
      ...[frameKind.write, frameKind.answer, frameKind.replicate, frameKind.install],
    )
    const some = fc.tuple(message, kinds, fc.boolean())
    await fc.assert(
      fc.asyncProperty(fc.array(some, { minLength: 1, maxLength: 40 }), async (messages) => {
        const b = bench()
        const kept = new Set<number>()
        for (const [at, [{ bytes, writes }, kind, isWithdrawn]] of messages.entries()) {
          b.send(at + 1, filled(bytes, at), kind)
          kept.add(at + 1)
          if (isWithdrawn) {
            b.sender.withdraw(at)
            kept.delete(at)
          }
          for (let i = 0; i < writes; i += 1) {
            await b.timeline.run(b.timeline.nowMs + 1)
            b.writeOne()
          }
        }
        await b.writeAll()
        const ordered = b.frames.filter(({ kind }) => isOrdered(kind))
        const order = ordered.map(({ request }) => request)
        expect(order).toEqual(order.toSorted((x, y) => x - y))
        for (const request of b.whole()) {
          const bytes = messages[request - 1]?.[0].bytes ?? 0
          const whole = filled(bytes, request - 1)
          expect(Buffer.compare(payloadOf(b.frames, request), whole)).toBe(0)
        }
        const whole = new Set(b.whole())
        expect([...kept].filter((request) => !whole.has(request))).toEqual([])
      }),
      { numRuns: 30 },
    )
  })

  it('Q3 a gateway passes a page on its way to a copy, and a copy what gateways ask', async () => {
    const b = bench()
    b.send(1, filled(4 * MIB, 1), frameKind.install)
    b.send(2, filled(4 * MIB, 2))
    b.send(3, filled(4 * KIB, 3), frameKind.replicate)
    await b.timeline.run(1)
    b.writeOne()
    b.send(4, filled(4 * KIB, 4))
    await b.writeAll()
    const aheadOf = (request: number, of: number) => {
      const place = b.frames.findIndex((frame) => frame.request === request)
      const others = b.frames.slice(0, place).filter((frame) => frame.request === of)
      return others.reduce((sum, { bytes }) => sum + bytes, 0)
    }
    expect(aheadOf(4, 1) + aheadOf(4, 2)).toBeLessThan(MIB)
    expect(aheadOf(3, 1)).toBe(4 * MIB)
    // By turns with what gateways ask, which so waits no longer than for itself.
    expect(aheadOf(3, 2)).toBeGreaterThan(3 * MIB)
    expect(aheadOf(3, 2)).toBeLessThanOrEqual(4 * MIB)
  })

  it('Q3 short messages to copies go with the others by turns, and hold no long one up', async () => {
    const b = bench()
    b.send(1, filled(300 * KIB, 1))
    for (let request = 2; request <= 401; request += 1)
      b.send(request, filled(16 * KIB, request), request > 201 ? frameKind.replicate : undefined)
    await b.timeline.run(1)
    b.writeOne()
    const first = b.frames.slice(0, 12).map(({ request }) => request)
    expect(first).toEqual([2, 202, 3, 203, 4, 204, 5, 205, 6, 206, 7, 207])
    await b.writeAll()
    const order = b.whole()
    expect(order.indexOf(1)).toBeLessThan(order.length - 50)
    expect(b.stream.mostBytes).toBeLessThanOrEqual(UNWRITTEN_MAX)
  })

  it('Q2 what is handed to the stream is bounded, however much waits', async () => {
    const b = bench()
    for (let request = 1; request <= 200; request += 1) {
      b.send(request, filled(request % 2 === 0 ? 16 * KIB : 200 * KIB, request))
    }
    await b.timeline.run(1)
    const first = b.stream.unwrittenBytes
    await b.timeline.run(1_000)
    expect(b.stream.unwrittenBytes).toBe(first)
    expect(first).toBeGreaterThan(256 * KIB)
    await b.writeAll()
    expect(b.whole().length).toBe(200)
    expect(b.stream.mostBytes).toBeLessThanOrEqual(UNWRITTEN_MAX)
  })

  it('Q2 nearly empty chunks are bounded by their number', async () => {
    const b = bench()
    for (let request = 1; request <= 40; request += 1) {
      b.send(request, null)
      await b.timeline.run(b.timeline.nowMs + 1)
    }
    expect(b.stream.parts.length).toBe(8)
    await b.writeAll()
    expect(b.stream.mostParts).toBe(8)
    expect(b.whole()).toEqual(Array.from({ length: 40 }, (_, at) => at + 1))
  })

  it('Q2 what waits can be withdrawn, and only what was begun is told to the receiver', async () => {
    const b = bench()
    b.send(1, filled(4 * MIB, 1))
    await b.timeline.run(1)
    for (let request = 2; request <= 70; request += 1) b.send(request, filled(16 * KIB, request))
    await b.timeline.run(2)
    expect(b.sender.withdraw(70)).toBe(false)
    expect(b.sender.withdraw(1)).toBe(true)
    expect(b.sender.withdraw(1)).toBe(false)
    b.sender.end()
    await b.writeAll()
    expect(b.stream.isEnded).toBe(true)
    expect(b.whole()).toEqual(Array.from({ length: 68 }, (_, at) => at + 2))
    expect(payloadOf(b.frames, 1).length).toBeLessThan(MIB)
  })
})
