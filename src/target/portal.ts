// The portal of a member is where initiators come to: it lets their connections in, gives each what it needs of the member,
// answers discovery, and sends them away when the member stops.
//
// Invariants:
//   T2. A stop answers what was accepted, sends event 3 and closes, by the moment that it was given.
import { BufferPool } from '../base/buffer-pool.ts'
import { type Clock, sleep } from '../base/clock.ts'
import type { Address, Listener, Net, Stream } from '../base/net.ts'
import type { GroupView } from '../coordination/group-view.ts'
import { formatPortal, type Portal } from '../iscsi/names.ts'
import { isAskedFor, printTargets } from '../iscsi/send-targets.ts'
import { PORTAL_GROUP_TAG } from '../scsi/logical-unit.ts'
import { Connection, type ConnectionDeps } from './connection.ts'
import { Contention } from './contention.ts'
import { Doorway } from './doorway.ts'
import type { Taken } from './logins.ts'
import { type Bounds, budgetsOf, CONNECTIONS_MAX, NEW_SESSIONS_MAX } from './memory-bounds.ts'
import type { Registry } from './registry.ts'
import type { TargetEvent } from './target-event.ts'

/** For an initiator to fall silent, before it is told that the member stops. */
const STOP_MS = 4_000
/** A reason may quote what an initiator sent. */
const REASON_MAX = 400
/** What the pool keeps for the responses and write data of all connections, while it is needed. */
const BUFFER_BYTES = 32 * 1024 * 1024

type OfMember = 'logins' | 'handles' | 'gateway' | 'resetOthers' | 'firstResponse' | 'ended'

export interface PortalDeps extends Pick<ConnectionDeps, OfMember> {
  readonly clock: Clock
  readonly net: Net
  readonly group: GroupView
  readonly registry: Pick<Registry, 'carried'>
  readonly bounds: Bounds
  /** Discovery answers with this instead of the address that the initiator came to. */
  readonly groupAddress: string | null
  /** The session's final Login Response is about to leave. */
  readonly began: (taken: Taken & { readonly kind: 'taken' }) => void
  readonly tell: (event: TargetEvent) => void
}

export class TargetPortal {
  readonly #deps: PortalDeps
  readonly #buffers = new BufferPool(BUFFER_BYTES)
  readonly #contention = new Contention()
  readonly #ofConnections: ConnectionDeps
  readonly #doorway = new Doorway()
  readonly #connections = new Set<Connection>()
  readonly #listeners = new Set<Listener>()
  #isStopping = false

  constructor(deps: PortalDeps) {
    this.#deps = deps
    this.#ofConnections = this.#connectionDeps()
  }

  /** At this address too, until it is closed or the member stops. */
  async listen(address: Address): Promise<Listener> {
    const listener = await this.#deps.net.listen(address, (stream) => this.#accept(stream))
    this.#listeners.add(listener)
    if (this.#isStopping) await listener.close()
    const close = () => {
      this.#listeners.delete(listener)
      return listener.close()
    }
    return { address: listener.address, close }
  }

  #accept(stream: Stream): void {
    if (this.#deps.registry.carried >= CONNECTIONS_MAX || this.#isStopping) {
      stream.own({ received() {}, ended() {}, written() {}, closed() {} })
      stream.destroy()
      return
    }
    const connection = new Connection(this.#ofConnections, stream)
    this.#connections.add(connection)
    this.#doorway.came(connection)
  }

  /** T2. Whoever has not closed its connection by then is closed. */
  async stop(byMs: number): Promise<void> {
    const { clock } = this.#deps
    this.#isStopping = true
    await Promise.all([...this.#listeners].map((listener) => listener.close()))
    await Promise.all(
      [...this.#connections].map(async (connection) => {
        await connection.serving?.quiesce(STOP_MS)
        connection.stop()
      }),
    )
    while (this.#connections.size > 0 && clock.nowMs() < byMs) await sleep(clock, 10)
    for (const connection of [...this.#connections]) connection.close('the member stops')
  }

  /** Gives memory back that was not needed lately; about once a second. */
  trim(): void {
    this.#buffers.trim()
  }

  #connectionDeps(): ConnectionDeps {
    const { group, registry, bounds, began, tell } = this.#deps
    return {
      ...this.#deps,
      ...budgetsOf(bounds),
      buffers: this.#buffers,
      contention: this.#contention,
      volumeByIqn: (iqn) => group.volumeByIqn(iqn),
      refresh: () => group.refresh(),
      discover: (wanted, at, own) => this.#discover(wanted, at, own),
      grown: (volume) => {
        const seen = group.volumes.get(volume.id)
        return seen !== undefined && seen.bytes > volume.bytes ? seen : volume // T4
      },
      isFull: () => registry.carried >= NEW_SESSIONS_MAX,
      began: (taken, connection) => {
        this.#doorway.left(connection)
        began(taken)
      },
      rejected: (initiator, reason, source) =>
        tell({ kind: 'reject', initiator, source, reason: reason.slice(0, REASON_MAX) }),
      redirected: (attempt, to, why) =>
        tell({ kind: 'redirect', initiator: attempt.initiator, source: attempt.source, to, why }),
      gone: (connection) => {
        this.#connections.delete(connection)
        this.#doorway.left(connection)
      },
    }
  }

  /** One portal for each volume: the one that was asked, or the configured address of the group. */
  #discover(wanted: string, at: Portal, own: string | null): Uint8Array {
    const { group, groupAddress } = this.#deps
    const address = groupAddress ?? formatPortal(at.host, at.port)
    const targets = [...group.volumes.values()]
      .filter(({ iqn }) => isAskedFor(iqn, wanted, own))
      .map(({ iqn }) => ({ name: iqn, addresses: [address] }))
    return printTargets(targets, PORTAL_GROUP_TAG)
  }
}
