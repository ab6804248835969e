// The sessions that this member serves, and the logins that it has under way. N2 rests on `tokens`: a login counts as
// alive from before its transaction is sent until its session is registered or the login has failed.
import type { SessionId } from '../base/ids.ts'
import { carrierOf, type LiveSession } from './live-session.ts'

export class Registry {
  readonly #sessions = new Map<SessionId, LiveSession>()
  readonly #tokens = new Set<string>()

  get(id: SessionId): LiveSession | undefined {
    return this.#sessions.get(id)
  }

  all(): Iterable<LiveSession> {
    return this.#sessions.values()
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Those that a connection carries: not in their login. */
  get carried(): number {
    let count = 0
    for (const session of this.#sessions.values()) if (carrierOf(session) !== null) count += 1
    return count
  }

  begin(loginToken: string): void {
    this.#tokens.add(loginToken)
  }

  /** The login has ended: in a session (registered before this call) or in nothing. */
  finish(loginToken: string): void {
    this.#tokens.delete(loginToken)
  }

  isUnderWay(loginToken: string): boolean {
    return this.#tokens.has(loginToken)
  }

  add(session: LiveSession): void {
    this.#sessions.set(session.id, session)
  }

  /** Forgets this very session; a later one under the same id stays. */
  remove(session: LiveSession): void {
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id)
  }
}
