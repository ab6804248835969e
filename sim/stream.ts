// One end of a simulated stream: the kernel's half (in flight, inbox, FIN, RST) and the process's half (owner, pause).
// The kernel's half works while its process is paused; the process's half runs through the host's clock.
import type { Stream, StreamOwner } from '../src/base/net.ts'
import type { Prng } from '../src/base/prng.ts'
import type { SimClock } from './clock.ts'
import type { Timeline } from './timeline.ts'

/** What a stream needs of the network. */
export interface Wire {
  readonly timeline: Timeline
  readonly prng: Prng
  /** Receive buffer of all streams: a view into it is handed to `received`, then it is overwritten. */
  readonly scratch: Uint8Array
  latencyMs(from: string, to: string): number
  cross(from: string, to: string, pass: () => void, lose: () => void): void
  isUp(host: string): boolean
}

export interface StreamHost {
  readonly name: string
  readonly clock: SimClock
  readonly streams: Set<SimStream>
}

/** Bytes that both kernels hold for one direction before `written` waits for the reader. */
const KERNEL_BYTES = 512 * 1024
const POISON = 0xdd

interface Write {
  readonly view: Uint8Array
  readonly sent: Uint8Array
  /** Position in the direction's bytes after this write. */
  readonly end: number
}

export class SimStream implements Stream {
  readonly remoteHost: string
  readonly localHost: string
  readonly localPort: number
  readonly #wire: Wire
  readonly #host: StreamHost
  #peer: SimStream | null = null
  #owner: StreamOwner | null = null
  #phase: 'open' | 'closed' = 'open'
  #paused = false
  #pumping = false
  readonly #inbox: Uint8Array[] = []
  #inboxBytes = 0
  #consumedBytes = 0
  #finReceived = false
  #endedTold = false
  #reset = ''
  #sentBytes = 0
  #unwritten = 0
  readonly #writes: Write[] = []
  #reporting = false
  #finSent = false
  #lost = false
  #lastArrivalMs = 0

  constructor(
    wire: Wire,
    host: StreamHost,
    ends: { remoteHost: string; localHost: string; localPort: number },
  ) {
    this.#wire = wire
    this.#host = host
    this.remoteHost = ends.remoteHost
    this.localHost = ends.localHost
    this.localPort = ends.localPort
    host.streams.add(this)
  }

  join(peer: SimStream): void {
    this.#peer = peer
  }

  /** The accepting process gets the stream. */
  handOver(accept: (stream: Stream) => void): void {
    if (this.#phase === 'closed') return
    accept(this)
    if (this.#owner === null) throw new Error('accept returned without calling own')
  }

  /** The connecting process gets the stream, and must own it in this turn. */
  handOut(): Stream {
    this.#host.clock.soon(() => {
      if (this.#owner === null && this.#phase === 'open')
        throw new Error('a connected stream was not owned in the turn in which it was handed over')
    })
    return this
  }

  own(owner: StreamOwner): void {
    if (this.#owner !== null) throw new Error('a stream is owned once')
    this.#owner = owner
    this.#wake()
  }

  get unwrittenBytes(): number {
    return this.#unwritten
  }

  writeAll(parts: readonly Uint8Array[]): void {
    for (const part of parts) this.write(part)
  }

  write(bytes: Uint8Array): void {
    if (this.#phase === 'closed' || this.#finSent) return
    const sent = bytes.slice()
    this.#sentBytes += sent.length
    this.#unwritten += sent.length
    this.#writes.push({ view: bytes, sent, end: this.#sentBytes })
    this.#transmit((peer) => peer.#arrive(sent))
    this.#reportSoon()
  }

  end(): void {
    if (this.#phase === 'closed' || this.#finSent) return
    this.#finSent = true
    this.#transmit((peer) => peer.#arriveFin())
    this.#wake()
  }

  destroy(): void {
    if (this.#phase === 'closed') return
    this.#leave()
    this.#close('destroyed')
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#wake()
  }

  /** The process is gone: its kernel closes the stream (`closing`), or the whole host lost power. The owner hears nothing. */
  vanish(closing: boolean): void {
    if (this.#phase === 'closed') return
    if (closing) this.#leave()
    this.#owner = null
    this.#close('crashed')
  }

  /** As a kernel closes: a reset if something was left unread, else FIN after what was sent. */
  #leave(): void {
    if (this.#inboxBytes > 0) this.#transmit((peer) => peer.#arriveReset('reset by the other side'))
    else if (!this.#finSent) this.#transmit((peer) => peer.#arriveFin())
    this.#finSent = true
  }

  #close(reason: string): void {
    this.#phase = 'closed'
    this.#host.streams.delete(this)
    this.#inbox.length = 0
    this.#writes.length = 0
    const owner = this.#owner
    if (owner !== null) this.#host.clock.soon(() => owner.closed(reason))
  }

  /** To the other kernel, in order, later. */
  #transmit(arrive: (peer: SimStream) => void): void {
    const peer = this.#peer
    if (peer === null) throw new Error('a stream without its other end')
    const { timeline } = this.#wire
    const [from, to] = [this.#host.name, peer.#host.name]
    const atMs = Math.max(timeline.nowMs + this.#wire.latencyMs(from, to), this.#lastArrivalMs)
    this.#lastArrivalMs = atMs
    timeline.at(atMs, () =>
      this.#wire.cross(
        from,
        to,
        () => {
          if (!this.#lost) arrive(peer)
        },
        () => {
          this.#lost = true
        },
      ),
    )
  }

  #arrive(bytes: Uint8Array): void {
    if (this.#phase === 'closed') {
      if (this.#wire.isUp(this.#host.name))
        this.#transmit((peer) => peer.#arriveReset('reset by the other side'))
      return
    }
    if (bytes.length === 0) return
    this.#inbox.push(bytes)
    this.#inboxBytes += bytes.length
    this.#wake()
  }

  #arriveFin(): void {
    if (this.#phase === 'closed') return
    this.#finReceived = true
    this.#wake()
  }

  #arriveReset(reason: string): void {
    if (this.#phase === 'closed') return
    this.#reset = reason
    this.#inbox.length = 0
    this.#inboxBytes = 0
    this.#wake()
  }

  #wake(): void {
    if (this.#pumping || this.#phase === 'closed' || this.#owner === null) return
    this.#pumping = true
    this.#host.clock.soon(() => {
      this.#pumping = false
      this.#pump()
    })
  }

  /** One call on the owner, then another turn. */
  #pump(): void {
    const owner = this.#owner
    if (owner === null || this.#phase === 'closed') return
    if (this.#reset !== '') {
      this.#close(this.#reset)
      return
    }
    if (this.#inboxBytes > 0) {
      if (this.#paused) return
      this.#deliver(owner)
      this.#wake()
      return
    }
    if (this.#finReceived && !this.#endedTold) {
      if (this.#paused) return
      this.#endedTold = true
      owner.ended()
      this.#wake()
      return
    }
    if (this.#endedTold && this.#finSent && this.#writes.length === 0)
      this.#close('ended by both sides')
  }

  #deliver(owner: StreamOwner): void {
    const { scratch, prng } = this.#wire
    const most = Math.min(this.#inboxBytes, scratch.length)
    const bytes = prng.chance(0.15) ? prng.integer(1, most) : most
    let at = 0
    while (at < bytes) {
      const first = this.#inbox[0]
      if (first === undefined) throw new Error('the inbox holds less than it says')
      const part = first.subarray(0, bytes - at)
      scratch.set(part, at)
      at += part.length
      if (part.length === first.length) this.#inbox.shift()
      else this.#inbox[0] = first.subarray(part.length)
    }
    this.#inboxBytes -= bytes
    this.#consumedBytes += bytes
    if (this.#peer !== null) this.#peer.#reportSoon()
    owner.received(scratch.subarray(0, bytes))
    scratch.fill(POISON, 0, bytes)
  }

  #reportSoon(): void {
    if (this.#reporting || this.#writes.length === 0) return
    this.#reporting = true
    this.#host.clock.soon(() => {
      this.#reporting = false
      this.#report()
    })
  }

  #report(): void {
    const room = (this.#peer === null ? 0 : this.#peer.#consumedBytes) + KERNEL_BYTES
    for (;;) {
      const write = this.#writes[0]
      if (write === undefined || write.end > room) break
      this.#writes.shift()
      this.#unwritten -= write.sent.length
      if (!equal(write.view, write.sent)) throw new Error('bytes changed before they were written')
      this.#owner?.written()
    }
    if (this.#finSent) this.#wake()
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
