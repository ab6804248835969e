// A simulated network: hosts joined by streams with latency, FIN, RST and half-close, and cuts between named hosts that
// lose what is in flight or hold it back and deliver it, in order, when they heal.
//
// Invariants:
//   SN1. Each direction of a stream delivers its bytes once and in order, or stops delivering for good.
//   SN2. A reset may destroy bytes that were delivered and not yet read, never reorder them.
//   SN3. A crashed host delivers nothing more to anybody; the other ends see a reset, or nothing until they time out.
import type { Address, Listener, Net, Stream, StreamOwner } from '../src/base/net.ts'
import { formatAddress } from '../src/base/net.ts'
import type { Prng } from '../src/base/prng.ts'
import type { SimClock } from './clock.ts'

export interface NetSettings {
  /** Milliseconds from one host to another, drawn for each packet. */
  readonly latencyMs: (prng: Prng) => number
}

interface Cut {
  readonly mode: 'drop' | 'stick'
  readonly held: (() => void)[]
}

export class SimNet {
  readonly clock: SimClock
  readonly prng: Prng
  readonly #settings: NetSettings
  readonly #listeners = new Map<string, { host: SimHost; accept: (stream: Stream) => void }>()
  readonly #cuts = new Map<string, Cut>()
  readonly #hosts = new Map<string, SimHost>()

  constructor(clock: SimClock, prng: Prng, settings: NetSettings) {
    this.clock = clock
    this.prng = prng
    this.#settings = settings
  }

  /** A new life of the named host: what the last one had is dead (SN3). */
  host(name: string): SimHost {
    this.#hosts.get(name)?.crash()
    const host = new SimHost(this, name)
    this.#hosts.set(name, host)
    return host
  }

  /** Cuts the path between two hosts both ways until `heal`, or for good. */
  cut(a: string, b: string, mode: 'drop' | 'stick'): void {
    const key = pathKey(a, b)
    if (!this.#cuts.has(key)) this.#cuts.set(key, { mode, held: [] })
  }

  heal(a: string, b: string): void {
    const key = pathKey(a, b)
    const cut = this.#cuts.get(key)
    this.#cuts.delete(key)
    for (const deliver of cut?.held ?? []) deliver()
  }

  healAll(): void {
    for (const key of [...this.#cuts.keys()]) {
      const [a = '', b = ''] = key.split('|')
      this.heal(a, b)
    }
  }

  latencyMs(): number {
    return this.#settings.latencyMs(this.prng)
  }

  /** Runs `deliver` if the path is whole; `lost` if it drops; later if it sticks. */
  pass(a: string, b: string, deliver: () => void, lost: () => void): void {
    const cut = this.#cuts.get(pathKey(a, b))
    if (cut === undefined) deliver()
    else if (cut.mode === 'drop') lost()
    else cut.held.push(() => this.pass(a, b, deliver, lost))
  }

  listen(host: SimHost, address: Address, accept: (stream: Stream) => void): Listener {
    const key = formatAddress(address)
    const taken = this.#listeners.get(key)
    if (taken?.host.isUp) throw new Error(`${key} is in use by another process`)
    const mine = { host, accept }
    this.#listeners.set(key, mine)
    return {
      address,
      close: () => {
        if (this.#listeners.get(key) === mine) this.#listeners.delete(key)
        return Promise.resolve()
      },
    }
  }

  listenerAt(address: Address): { host: SimHost; accept: (stream: Stream) => void } | undefined {
    const found = this.#listeners.get(formatAddress(address))
    return found?.host.isUp ? found : undefined
  }
}

export class SimHost implements Net {
  readonly name: string
  readonly #net: SimNet
  readonly #streams = new Set<SimStream>()
  /** Work that waits while the host is paused, in order. */
  readonly #waiting: (() => void)[] = []
  #paused = false
  isUp = true

  constructor(net: SimNet, name: string) {
    this.#net = net
    this.name = name
  }

  listen(address: Address, accept: (stream: Stream) => void): Promise<Listener> {
    return Promise.resolve().then(() => this.#net.listen(this, address, accept))
  }

  connect(address: Address, timeoutMs: number): Promise<Stream> {
    const net = this.#net
    return new Promise((resolve, reject) => {
      let open = true
      const fail = (why: string) => {
        if (!open) return
        open = false
        reject(new Error(`cannot connect to ${formatAddress(address)}: ${why}`))
      }
      net.clock.after(timeoutMs, () => this.exec(() => fail(`no answer within ${timeoutMs} ms`)))
      const to = hostOf(address)
      const back = (act: () => void) =>
        net.clock.after(net.latencyMs(), () => net.pass(this.name, to, () => this.exec(act), nothing))
      net.clock.after(net.latencyMs(), () =>
        net.pass(
          this.name,
          to,
          () => {
            const listener = net.listenerAt(address)
            if (listener === undefined) return back(() => fail('refused'))
            const [near, far] = joined(net, this, listener.host, address)
            listener.host.exec(() => {
              if (!listener.host.isUp) return
              listener.accept(far)
            })
            back(() => {
              if (!open || !this.isUp) return near.destroy()
              open = false
              resolve(near)
            })
          },
          nothing,
        ),
      )
    })
  }

  /** Runs now, or after the pause if this host is stopped (SIGSTOP); never once it has crashed. */
  exec(act: () => void): void {
    if (!this.isUp) return
    if (this.#paused) this.#waiting.push(act)
    else act()
  }

  pause(): void {
    this.#paused = true
  }

  unpause(): void {
    this.#paused = false
    while (this.#waiting.length > 0 && !this.#paused) this.#waiting.shift()?.()
  }

  crash(): void {
    if (!this.isUp) return
    this.isUp = false
    this.#waiting.length = 0
    for (const stream of this.#streams) stream.hostCrashed()
    this.#streams.clear()
  }

  add(stream: SimStream): void {
    this.#streams.add(stream)
  }

  remove(stream: SimStream): void {
    this.#streams.delete(stream)
  }
}

class SimStream implements Stream {
  readonly remoteHost: string
  readonly localHost: string
  readonly localPort: number
  readonly #net: SimNet
  readonly #host: SimHost
  #peer: SimStream | null = null
  #owner: StreamOwner | null = null
  /** Bytes and ends that arrived and were not yet taken: before `own`, and while paused. */
  readonly #arrived: (Uint8Array | 'end')[] = []
  #nextArrivalMs = 0
  #unwrittenBytes = 0
  #state: 'open' | 'closed' = 'open'
  #endedByUs = false
  #endedByPeer = false
  #isPaused = false
  #lost = false

  constructor(net: SimNet, host: SimHost, at: { remote: string; local: string; port: number }) {
    this.#net = net
    this.#host = host
    this.remoteHost = at.remote
    this.localHost = at.local
    this.localPort = at.port
    host.add(this)
  }

  join(peer: SimStream): void {
    this.#peer = peer
  }

  get unwrittenBytes(): number {
    return this.#unwrittenBytes
  }

  own(owner: StreamOwner): void {
    this.#owner = owner
    if (this.#arrived.length > 0) this.#net.clock.soon(() => this.#host.exec(() => this.#drain()))
    if (this.#state === 'closed') this.#tellClosed('closed')
  }

  write(bytes: Uint8Array): void {
    if (this.#state === 'closed' || this.#endedByUs) return
    const sent = bytes.slice()
    this.#unwrittenBytes += bytes.length
    this.#net.clock.soon(() =>
      this.#host.exec(() => {
        if (this.#state === 'closed') return
        this.#unwrittenBytes -= sent.length
        this.#owner?.written()
      }),
    )
    this.#send((peer) => peer.#arrive(sent))
  }

  end(): void {
    if (this.#state === 'closed' || this.#endedByUs) return
    this.#endedByUs = true
    this.#send((peer) => peer.#arrive('end'))
    if (this.#endedByPeer) this.#close('closed by both sides')
  }

  destroy(): void {
    if (this.#state === 'closed') return
    // Closing on unread input resets the connection, and a reset may destroy what the other side has not read (SN2).
    const reset = this.#arrived.length > 0 || !this.#endedByPeer
    this.#send((peer) => peer.#peerGone(reset && this.#net.prng.chance(0.5)))
    this.#close('closed')
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#net.clock.soon(() => this.#host.exec(() => this.#drain()))
  }

  hostCrashed(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#owner = null
    this.#send((peer) => peer.#peerGone(false))
  }

  #send(act: (peer: SimStream) => void): void {
    const { clock } = this.#net
    const peer = this.#peer
    if (peer === null) return
    const atMs = Math.max(clock.nowMs() + this.#net.latencyMs(), this.#nextArrivalMs)
    this.#nextArrivalMs = atMs
    clock.after(atMs - clock.nowMs(), () =>
      this.#net.pass(
        this.#host.name,
        peer.#host.name,
        () => {
          if (!this.#lost) peer.#host.exec(() => act(peer))
        },
        () => {
          this.#lost = true // SN1: a stream with a hole delivers nothing more
        },
      ),
    )
  }

  #arrive(what: Uint8Array | 'end'): void {
    if (this.#state === 'closed') {
      if (what !== 'end') this.#send((peer) => peer.#peerGone(this.#net.prng.chance(0.5)))
      return
    }
    this.#arrived.push(what)
    this.#drain()
  }

  #drain(): void {
    while (this.#arrived.length > 0 && this.#state === 'open' && !this.#isPaused) {
      const owner = this.#owner
      if (owner === null) return
      const what = this.#arrived.shift() as Uint8Array | 'end'
      if (what !== 'end') {
        owner.received(what)
        what.fill(0xdd) // a view is valid only during the call
        continue
      }
      this.#endedByPeer = true
      owner.ended()
      if (this.#endedByUs) this.#close('closed by both sides')
    }
  }

  #peerGone(destroysUnread: boolean): void {
    if (this.#state === 'closed') return
    if (destroysUnread) this.#arrived.length = 0
    this.#drain()
    this.#close('connection reset')
  }

  #close(reason: string): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#host.remove(this)
    this.#tellClosed(reason)
  }

  #tellClosed(reason: string): void {
    this.#net.clock.soon(() => this.#host.exec(() => this.#owner?.closed(reason)))
  }
}

function joined(net: SimNet, from: SimHost, to: SimHost, address: Address): [SimStream, SimStream] {
  const port = address.kind === 'tcp' ? address.port : 0
  const near = new SimStream(net, from, { remote: to.name, local: from.name, port: 0 })
  const far = new SimStream(net, to, { remote: from.name, local: to.name, port })
  near.join(far)
  far.join(near)
  return [near, far]
}

/** Addresses of the simulation name the host; a Unix path begins with it. */
function hostOf(address: Address): string {
  return address.kind === 'tcp' ? address.host : (address.path.split('/')[0] ?? '')
}

function pathKey(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`
}

function nothing(): void {}
