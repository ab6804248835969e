// From a portal's address to a logged-in connection: connect, log in, and follow redirections on the way (RFC 7143
// §11.13.5).
//
//   connecting ──▶ login ──▶ ready | failed          login ──redirected──▶ connecting
//
// Invariants:
//   I1. The outcome is told once, within one limit for each connection of the chain; an abandoned attempt tells nothing.
//   I2. A redirection is followed for this attempt only; the ISID stays the same along the chain.

import type { BufferPool } from '../base/buffer-pool.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Address, Net, Stream } from '../base/net.ts'
import type { Pdu } from '../iscsi/framer.ts'
import {
  InitiatorLogin,
  type InitiatorLoginSettings,
  type InitiatorLoginStep,
  type ReadySession,
} from '../iscsi/initiator-login.ts'
import { parsePortal } from '../iscsi/names.ts'
import { Wire, type WireConsumer } from './wire.ts'

export interface DialSettings {
  readonly net: Net
  readonly clock: Clock
  readonly buffers: BufferPool
  readonly portal: Address
  readonly login: InitiatorLoginSettings
  /** For connecting and logging in, each time. */
  readonly limitMs: number
}

export type DialOutcome =
  | {
      readonly kind: 'ready'
      /** Its consumer is to be replaced before the call returns: more PDUs may be in the same bytes. */
      readonly wire: Wire
      readonly session: ReadySession
      readonly address: Address
      readonly redirects: number
    }
  /** `status` is class and detail (`loginStatus`), or 0: the target was not reached, or broke the protocol. */
  | { readonly kind: 'failed'; readonly status: number; readonly reason: string }

/** libiscsi gives up after 11 Login PDUs; a group needs two or three hops. */
const redirectsMax = 10

export class Dial implements WireConsumer {
  readonly #settings: DialSettings
  readonly #settled: (outcome: DialOutcome) => void
  #address: Address
  #redirects = 0
  #wire: Wire | null = null
  #login: InitiatorLogin | null = null
  #timer: Timer | null = null
  /** Connections whose outcome belongs to an earlier hop are closed when they come. */
  #hop = 0
  #done = false

  constructor(settings: DialSettings, settled: (outcome: DialOutcome) => void) {
    this.#settings = settings
    this.#settled = settled
    this.#address = settings.portal
    this.#connect()
  }

  abandon(): void {
    if (this.#done) return
    this.#done = true
    this.#timer?.cancel()
    this.#wire?.destroy('abandoned')
  }

  receive(pdu: Pdu): void {
    const login = this.#login
    if (login !== null && !this.#done) this.#follow(login.receive(pdu))
  }

  drained(): void {}

  over(reason: string): void {
    this.#fail(0, reason)
  }

  #connect(): void {
    const { net, clock, limitMs } = this.#settings
    const hop = ++this.#hop
    this.#timer?.cancel()
    this.#timer = clock.after(limitMs, () => this.#fail(0, `no login within ${limitMs} ms`))
    net.connect(this.#address, limitMs).then(
      (stream) => this.#opened(hop, stream),
      (error: unknown) => {
        if (hop === this.#hop) this.#fail(0, error instanceof Error ? error.message : String(error))
      },
    )
  }

  #opened(hop: number, stream: Stream): void {
    if (this.#done || hop !== this.#hop) {
      stream.destroy()
      return
    }
    const wire = new Wire(stream, this.#settings.clock, this.#settings.buffers, this)
    this.#wire = wire
    this.#login = new InitiatorLogin(this.#settings.login, wire.outbox)
    this.#login.start()
    wire.flush()
  }

  #follow(step: InitiatorLoginStep): void {
    const wire = this.#wire
    if (wire === null) return
    switch (step.kind) {
      case 'asked':
        wire.flush()
        return
      case 'redirected':
        this.#redirect(step.address)
        return
      case 'rejected':
        this.#fail(
          step.status,
          `the target refused the login (${step.status.toString(16).padStart(4, '0')})`,
        )
        return
      case 'ready': {
        this.#done = true
        this.#timer?.cancel()
        const address = this.#address
        const redirects = this.#redirects
        this.#settled({ kind: 'ready', wire, session: step.session, address, redirects })
      }
    }
  }

  #redirect(text: string): void {
    const portal = parsePortal(text)
    this.#redirects += 1
    if (portal === null || this.#redirects > redirectsMax) {
      this.#fail(0, portal === null ? `redirected to ${text}` : 'redirected without end')
      return
    }
    this.#leaveWire()
    this.#address = { kind: 'tcp', host: portal.host, port: portal.port }
    this.#connect()
  }

  #fail(status: number, reason: string): void {
    if (this.#done) return
    this.#done = true
    this.#timer?.cancel()
    this.#leaveWire()
    this.#settled({ kind: 'failed', status, reason })
  }

  #leaveWire(): void {
    const wire = this.#wire
    this.#wire = null
    this.#login = null
    if (wire === null || wire.isOver) return
    wire.consumer = deaf
    wire.destroy('login over')
  }
}

const deaf: WireConsumer = { receive() {}, drained() {}, over() {} }
