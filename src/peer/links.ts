// This member's links to the others: one outgoing stream to each for our requests, and the incoming ones with theirs.

import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import type { Address, Listener, Net } from '../base/net.ts'
import type { ControlKind } from './controls.ts'
import { Link, type LinkTold } from './link.ts'
import type { Identity, Json } from './message.ts'
import { type Newest, type PeerServer, Responder } from './responder.ts'

export interface PeerLinksDeps {
  readonly self: Identity
  readonly net: Net
  readonly clock: Clock
  /** Where a member listens for its peers, or null if it is not known. */
  readonly addressOf: (member: MemberId) => Address | null
  readonly server: PeerServer
  /** The link to a member serves, or is lost and why. */
  readonly told?: (member: MemberId, ...how: Parameters<LinkTold>) => void
}

export class PeerLinks {
  readonly #deps: PeerLinksDeps
  readonly #links = new Map<MemberId, Link>()
  readonly #incoming = new Set<Responder>()
  readonly #newest: Newest = new Map()
  #listener: Listener | null = null
  #streams = 0
  #nonces = 0
  #isClosed = false

  constructor(deps: PeerLinksDeps) {
    this.#deps = deps
  }

  async listen(address: Address): Promise<Address> {
    const { self, clock, server, net } = this.#deps
    const nextNonce = () => {
      this.#nonces += 1
      return `${self.bootId}/${this.#nonces}`
    }
    const deps = { self, clock, server, newest: this.#newest, nextNonce }
    this.#listener = await net.listen(address, (stream) => {
      for (const old of this.#incoming) if (old.isClosed) this.#incoming.delete(old)
      this.#incoming.add(new Responder(deps, stream))
    })
    return this.#listener.address
  }

  /** Our requests to another member. */
  link(to: MemberId): Link {
    const known = this.#links.get(to)
    if (known !== undefined) return known
    const { self, net, clock, addressOf } = this.#deps
    assert(to !== self.memberId, 'a member has no link to itself')
    assert(!this.#isClosed, 'no link is opened after the end')
    const nextStream = () => {
      this.#streams += 1
      return this.#streams
    }
    const told: LinkTold = (...how) => this.#deps.told?.(to, ...how)
    const link = new Link({ self, to, net, clock, addressOf, nextStream, told })
    this.#links.set(to, link)
    return link
  }

  /** null: silent, refused or unreachable within the time. */
  ask(to: MemberId, kind: ControlKind, body: Json, timeoutMs: number): Promise<Json | null> {
    return this.#isClosed ? Promise.resolve(null) : this.link(to).ask(kind, body, timeoutMs)
  }

  /** Sent if the member can be reached soon; lost otherwise. */
  tell(to: MemberId, kind: ControlKind, body: Json | Uint8Array): void {
    if (!this.#isClosed) this.link(to).tell(kind, body)
  }

  /** Why there is no stream to this member, as a sentence; null: there is one, or none was needed yet. */
  trouble(member: MemberId): string | null {
    return this.#links.get(member)?.trouble ?? null
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const link of this.#links.values()) link.close()
    for (const responder of this.#incoming) responder.close()
    await this.#listener?.close()
  }
}
