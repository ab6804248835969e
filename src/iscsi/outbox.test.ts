import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BufferPool } from '../base/buffer-pool.ts'
import { Outbox } from './outbox.ts'
import { PduWriter } from './pdu-writer.ts'
import { concat, takeBytes } from './wire.fixture.ts'

function put(outbox: Outbox, length: number, value: number): number {
  const at = outbox.reserve(length)
  outbox.bytes.fill(value, at, at + length)
  return at
}

describe('Outbox', () => {
  it('O1 sends one turn in one part, and parts in order around what is attached', () => {
    const outbox = new Outbox(new BufferPool(1 << 24))
    put(outbox, 3, 1)
    put(outbox, 2, 2)
    expect(outbox.take().map((part) => [...part])).toEqual([[1, 1, 1, 2, 2]])
    put(outbox, 1, 3)
    outbox.attach(Uint8Array.of(9, 9))
    put(outbox, 1, 4)
    expect(outbox.waitingBytes).toBe(4)
    expect(outbox.take().map((part) => [...part])).toEqual([[3], [9, 9], [4]])
    expect(outbox.take()).toEqual([])
  })

  it('O1 goes on in a new chunk when one is full', () => {
    const outbox = new Outbox(new BufferPool(1 << 24))
    put(outbox, 500_000, 1)
    put(outbox, 100_000, 2)
    put(outbox, 3_000_000, 3)
    const parts = outbox.take()
    expect(parts.map((part) => [part[0], part.length])).toEqual([
      [1, 500_000],
      [2, 100_000],
      [3, 3_000_000],
    ])
  })

  it('O2 O3 gives a chunk back with its last part, and not before; idle, it holds none', () => {
    const pool = new BufferPool(1 << 24)
    const outbox = new Outbox(pool)
    put(outbox, 10, 1)
    const [first] = outbox.take()
    put(outbox, 10, 2)
    const [second] = outbox.take()
    expect(first?.buffer).toBe(second?.buffer)
    outbox.released(first!)
    expect(pool.freeBytes).toBe(0)
    put(outbox, 10, 3)
    outbox.released(second!)
    expect(pool.freeBytes).toBe(0)
    const [third] = outbox.take()
    expect([...third!]).toEqual(new Array(10).fill(3))
    outbox.released(third!)
    expect(pool.freeBytes).toBe(512 * 1024)
    put(outbox, 10, 4)
    expect(pool.freeBytes).toBe(0)
  })

  it('O2 gives what was lent to the pool with its last part, and not before', () => {
    const pool = new BufferPool(1 << 24)
    const outbox = new Outbox(pool)
    const buffer = pool.take(256 * 1024).fill(5)
    outbox.lend(buffer.subarray(0, 3))
    outbox.lend(buffer.subarray(3, 5))
    const [first, second] = outbox.take()
    expect([[...first!], [...second!]]).toEqual([
      [5, 5, 5],
      [5, 5],
    ])
    outbox.released(first!)
    expect(pool.freeBytes).toBe(0)
    outbox.released(second!)
    expect(pool.freeBytes).toBe(256 * 1024)
    expect(pool.take(256 * 1024).buffer).toBe(buffer.buffer)
  })

  it('takes the last reservation back', () => {
    const pool = new BufferPool(1 << 24)
    const outbox = new Outbox(pool)
    outbox.unreserve(put(outbox, 100, 1))
    expect(pool.freeBytes).toBe(512 * 1024)
    put(outbox, 1, 2)
    outbox.unreserve(put(outbox, 600_000, 3))
    put(outbox, 1, 4)
    expect(outbox.waitingBytes).toBe(2)
    expect([...takeBytes(outbox)]).toEqual([2, 4])
  })

  it('O1 O2 any use: the bytes come out as they went in, and every chunk comes back', () => {
    const kind = fc.constantFrom('reserve', 'withdraw', 'attach', 'lend', 'take', 'release')
    const step = fc.record({ kind, bytes: fc.integer({ min: 1, max: 300_000 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const used = new UsedOutbox()
        for (const { kind: what, bytes } of steps) used.step(what, bytes)
        used.step('take', 0)
        used.step('release', 1000)
        expect(used.got).toEqual(used.expected)
        expect(used.outbox.bytes.length).toBe(0)
        expect(used.pool.taken).toBe(0)
      }),
      { numRuns: 60 },
    )
  })
})

class CountedPool extends BufferPool {
  taken = 0

  override take(bytes: number): Uint8Array<ArrayBuffer> {
    this.taken += 1
    return super.take(bytes)
  }

  override give(view: Uint8Array<ArrayBuffer>): void {
    this.taken -= 1
    super.give(view)
  }
}

/** Each reservation has a value of its own, so that its run of bytes can be told when it comes out. */
class UsedOutbox {
  readonly pool = new CountedPool(1 << 28)
  readonly outbox = new Outbox(this.pool)
  readonly expected: number[] = []
  readonly got: number[] = []
  readonly #inFlight: Uint8Array[] = []
  #value = 0

  step(kind: string, bytes: number): void {
    this.#value = (this.#value + 1) & 0xff
    if (kind === 'withdraw') this.outbox.unreserve(put(this.outbox, bytes, this.#value))
    else if (kind === 'take') this.#take()
    else if (kind === 'release') {
      for (const part of this.#inFlight.splice(0, bytes % 1001)) this.outbox.released(part)
    } else {
      this.expected.push(this.#value)
      if (kind === 'reserve') put(this.outbox, bytes, this.#value)
      else if (kind === 'lend') this.outbox.lend(this.pool.take(bytes).fill(this.#value))
      else this.outbox.attach(new Uint8Array(bytes).fill(this.#value))
    }
  }

  #take(): void {
    for (const part of this.outbox.take()) {
      part.forEach((byte, i) => {
        if (i === 0 || byte !== part[i - 1]) this.got.push(byte)
      })
      this.#inFlight.push(part)
    }
  }
}

describe('PduWriter', () => {
  it('W1 writes nothing after silence, not even into what waits', () => {
    const outbox = new Outbox(new BufferPool(0))
    const writer = new PduWriter(outbox)
    writer.begin(0x20, 0x80, 0)
    writer.silence()
    const at = writer.begin(0x21, 0x80, 8)
    writer.bytes.fill(9, at, at + 56)
    writer.seal(at, 8)
    writer.attach(Uint8Array.of(1))
    writer.unreserve(writer.reserve(4))
    const sent = takeBytes(outbox)
    expect([sent.length, sent[0]]).toEqual([48, 0x20])
  })
})

describe('BufferPool', () => {
  it('gives a buffer of at least the size again, up to its bound', () => {
    const pool = new BufferPool(10_000)
    const buffer = pool.take(5000)
    expect(buffer.length).toBe(8192)
    pool.give(buffer)
    expect(pool.take(8192)).toBe(buffer)
    pool.give(buffer)
    pool.give(new Uint8Array(4096))
    expect(pool.freeBytes).toBe(8192)
    expect(pool.take(1).length).toBe(4096)
    expect(pool.take(9_000_000).length).toBe(9_000_000)
    pool.give(new Uint8Array(9_000_000))
    expect(pool.freeBytes).toBe(8192)
    expect(concat([]).length).toBe(0)
  })
})
