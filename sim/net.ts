// A simulated network of named hosts: TCP-like streams with latency, FIN, RST and back-pressure; cuts, pauses and
// crashes. Each host sees it through a port of its own (`host(name, clock)`); what a host receives runs through its
// clock.
//
// Invariants:
//   N1. Bytes arrive in the order in which they were written, each once, or not at all; after a loss nothing more
//       arrives.
//   N2. `closed` comes exactly once, and last; `ended` at most once, after the last byte.
//   N3. `written` comes once for each write, in order, unless `closed` cut it off; until then the bytes may not change.
//   N4. A cut that drops loses what crosses it; one that sticks delivers it, in order, when it heals.
//   N5. Where hosts are processes of one machine, one listens at the address of another that does not, and at no other's.
//
// A reset destroys what its receiver had not yet read. The view given to `received` is overwritten after the call, and
// arrives in pieces of chance length: an owner that keeps it, or that relies on the pieces, fails here.
import type { Address, Listener, Net, Stream } from '../src/base/net.ts'
import { formatAddress } from '../src/base/net.ts'
import type { Prng } from '../src/base/prng.ts'
import type { SimClock } from './clock.ts'
import type { Wire } from './stream.ts'
import { SimStream } from './stream.ts'
import type { Timeline } from './timeline.ts'

export interface SimNetSettings {
  /** One way, between two hosts; drawn for each segment, which never overtakes an earlier one. */
  readonly latencyMs: { readonly low: number; readonly high: number }
  /** One segment in this many takes `spikeMs` instead; 0: none. */
  readonly spikeOneIn: number
  readonly spikeMs: { readonly low: number; readonly high: number }
  /** The hosts are processes of one machine, which has all their addresses (N5). */
  readonly oneMachine: boolean
}

const DEFAULTS: SimNetSettings = {
  latencyMs: { low: 0.05, high: 0.4 },
  spikeOneIn: 0,
  spikeMs: { low: 20, high: 900 },
  oneMachine: false,
}

export type CutMode = 'drop' | 'stick'

interface Cut {
  readonly mode: CutMode
  readonly stuck: { readonly pass: () => void; readonly lose: () => void }[]
}

interface Host {
  readonly name: string
  clock: SimClock
  /** Counts its lives: what belongs to an earlier one is gone. */
  boot: number
  readonly listeners: Map<string, SimListener>
  readonly streams: Set<SimStream>
}

interface SimListener {
  readonly accept: (stream: Stream) => void
}

export class SimNet implements Wire {
  readonly scratch = new Uint8Array(64 * 1024)
  readonly timeline: Timeline
  readonly prng: Prng
  readonly #settings: SimNetSettings
  readonly #hosts = new Map<string, Host>()
  readonly #cuts = new Map<string, Cut>()
  /** Who listens at the address of another host. */
  readonly #standIns = new Map<string, Host>()
  #nextPort = 40_000

  constructor(timeline: Timeline, prng: Prng, settings: Partial<SimNetSettings> = {}) {
    this.timeline = timeline
    this.prng = prng
    this.#settings = { ...DEFAULTS, ...settings }
  }

  /** The network as a host sees it. A new clock for a known name is a new life of that host: the old one is crashed first. */
  host(name: string, clock: SimClock): Net {
    const known = this.#hosts.get(name)
    if (known !== undefined) this.crash(name)
    const host: Host = {
      name,
      clock,
      boot: (known?.boot ?? 0) + 1,
      listeners: new Map(),
      streams: new Set(),
    }
    this.#hosts.set(name, host)
    return {
      listen: (address, accept) => this.#listen(host, address, accept),
      connect: (address, timeoutMs) => this.#connect(host, address, timeoutMs),
    }
  }

  /**
   * The host's process dies. `process`: its kernel resets the streams. `power`: nobody is told; who sends to it later hears
   * nothing while it is down, and is reset once it has started again.
   */
  crash(name: string, how: 'process' | 'power' = 'process'): void {
    const host = this.#hosts.get(name)
    if (host === undefined || !host.clock.alive) return
    host.clock.kill()
    host.listeners.clear()
    for (const [key, by] of this.#standIns) if (by === host) this.#standIns.delete(key)
    for (const stream of [...host.streams]) stream.vanish(how === 'process')
    host.streams.clear()
  }

  /** Cuts one direction. Replaces a cut that is there; what it held is handed to the new one. */
  cutOneWay(from: string, to: string, mode: CutMode): void {
    const before = this.#cuts.get(`${from}>${to}`)
    this.#cuts.set(`${from}>${to}`, { mode, stuck: mode === 'stick' ? (before?.stuck ?? []) : [] })
    if (mode === 'drop') for (const held of before?.stuck ?? []) held.lose()
  }

  cut(a: string, b: string, mode: CutMode): void {
    this.cutOneWay(a, b, mode)
    this.cutOneWay(b, a, mode)
  }

  healOneWay(from: string, to: string): void {
    const cut = this.#cuts.get(`${from}>${to}`)
    this.#cuts.delete(`${from}>${to}`)
    for (const held of cut?.stuck ?? []) held.pass()
  }

  heal(a: string, b: string): void {
    this.healOneWay(a, b)
    this.healOneWay(b, a)
  }

  healAll(): void {
    for (const key of [...this.#cuts.keys()]) {
      const [from = '', to = ''] = key.split('>')
      this.healOneWay(from, to)
    }
  }

  isUp(name: string): boolean {
    return this.#hosts.get(name)?.clock.alive ?? false
  }

  /** Takes something across the link: later and in order, or `lose`. Used by streams. */
  cross(from: string, to: string, pass: () => void, lose: () => void): void {
    const cut = this.#cuts.get(`${from}>${to}`)
    if (cut === undefined) pass()
    else if (cut.mode === 'drop') lose()
    else cut.stuck.push({ pass, lose })
  }

  latencyMs(from: string, to: string): number {
    if (from === to) return 0.01 + this.prng.unit() * 0.04
    const { latencyMs, spikeMs, spikeOneIn } = this.#settings
    const range = spikeOneIn > 0 && this.prng.chance(1 / spikeOneIn) ? spikeMs : latencyMs
    return range.low + this.prng.unit() * (range.high - range.low)
  }

  #listen(host: Host, asked: Address, accept: (stream: Stream) => void): Promise<Listener> {
    const address =
      asked.kind === 'tcp' && asked.port === 0 ? { ...asked, port: this.#port() } : asked
    if (!host.clock.alive) return never()
    const refused = (why: string) =>
      Promise.reject(new Error(`cannot listen on ${formatAddress(address)}: ${why}`))
    const owner = address.kind === 'tcp' ? this.#hosts.get(address.host) : undefined
    const isOfAnother = owner !== undefined && owner !== host
    if (isOfAnother && !this.#settings.oneMachine) return refused('this host does not have it')
    const key = isOfAnother ? formatAddress(address) : listenerKey(address)
    if (host.listeners.has(key) || this.#standIns.has(formatAddress(address)))
      return refused('it is in use')
    if (isOfAnother) {
      if (owner.listeners.has(listenerKey(address))) return refused('it is in use') // N5
      this.#standIns.set(key, host)
    }
    host.listeners.set(key, { accept })
    const close = () => {
      host.listeners.delete(key)
      if (this.#standIns.get(key) === host) this.#standIns.delete(key)
      return Promise.resolve()
    }
    return this.#later(host, () => ({ address, close }))
  }

  #port(): number {
    return this.#nextPort++
  }

  #later<T>(host: Host, make: () => T): Promise<T> {
    return new Promise((resolve) => host.clock.soon(() => resolve(make())))
  }

  #connect(from: Host, address: Address, timeoutMs: number): Promise<Stream> {
    if (!from.clock.alive) return never()
    const standIn = this.#standIns.get(formatAddress(address))
    const key = standIn === undefined ? listenerKey(address) : formatAddress(address)
    const named = address.kind === 'unix' ? from.name : hostOf(address.host, from.name)
    const toName = standIn?.name ?? named
    const localPort = this.#port()
    return new Promise((resolve, reject) => {
      let over = false
      const finish = (f: () => void) => {
        if (over) return
        over = true
        timer.cancel()
        f()
      }
      const refuse = (why: string) => () =>
        finish(() => reject(new Error(`cannot connect to ${formatAddress(address)}: ${why}`)))
      const timer = from.clock.after(timeoutMs, refuse(`no answer in ${timeoutMs} ms`))
      const back = (f: () => void) =>
        this.#send(toName, from.name, () => {
          if (from.clock.alive) from.clock.deliver(f)
        })
      this.#send(from.name, toName, () => {
        const to = this.#hosts.get(toName)
        if (to === undefined || !to.clock.alive) {
          // Down: silence between hosts, a refusal on the same one.
          if (to === undefined || toName === from.name) back(refuse('refused'))
          return
        }
        const listener = to.listeners.get(key)
        if (listener === undefined) return back(refuse('refused'))
        // The kernel of the other side completes the handshake; its process, perhaps paused, accepts later.
        const [near, far] = this.#pair(from, to, localPort, address)
        to.clock.deliver(() => {
          if (to.listeners.get(key) === listener) far.handOver(listener.accept)
          else far.destroy()
        })
        back(() => {
          if (over) return near.destroy()
          finish(() => resolve(near.handOut()))
        })
      })
    })
  }

  #pair(from: Host, to: Host, localPort: number, address: Address): [SimStream, SimStream] {
    const unix = address.kind === 'unix'
    const port = unix ? 0 : address.port
    const near = new SimStream(this, from, {
      remoteHost: unix ? '' : to.name,
      localHost: unix ? '' : from.name,
      localPort: unix ? 0 : localPort,
    })
    const far = new SimStream(this, to, {
      remoteHost: unix ? '' : from.name,
      localHost: unix ? '' : hostOf(address.host, to.name),
      localPort: port,
    })
    near.join(far)
    far.join(near)
    return [near, far]
  }

  #send(from: string, to: string, f: () => void): void {
    this.timeline.after(this.latencyMs(from, to), () => this.cross(from, to, f, () => {}))
  }
}

function hostOf(host: string, own: string): string {
  return host === '127.0.0.1' || host === 'localhost' || host === '::1' ? own : host
}

function listenerKey(address: Address): string {
  return address.kind === 'unix' ? address.path : String(address.port)
}

/** What a dead host is told: nothing. */
function never<T>(): Promise<T> {
  return new Promise(() => {})
}
