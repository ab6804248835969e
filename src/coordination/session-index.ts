// Sessions by initiator and volume: who asks for the siblings of a session must not read all sessions of the group.
import type { SessionId, VolumeId } from '../base/ids.ts'
import type { StoredSession } from '../group/sessions.ts'

export class SessionIndex {
  readonly #byPath = new Map<string, Map<SessionId, StoredSession>>()

  /** Of this initiator on this volume. */
  of(volume: VolumeId, initiator: string): Iterable<StoredSession> {
    return this.#byPath.get(pathOf(volume, initiator))?.values() ?? []
  }

  /** New, or in place of what was known of it. */
  set(session: StoredSession, before: StoredSession | undefined): void {
    if (before !== undefined) this.delete(before)
    const path = pathOf(session.record.volume, session.record.initiator)
    const siblings = this.#byPath.get(path) ?? new Map<SessionId, StoredSession>()
    siblings.set(session.id, session)
    this.#byPath.set(path, siblings)
  }

  delete({ id, record }: StoredSession): void {
    const path = pathOf(record.volume, record.initiator)
    const siblings = this.#byPath.get(path)
    siblings?.delete(id)
    if (siblings?.size === 0) this.#byPath.delete(path)
  }

  clear(): void {
    this.#byPath.clear()
  }
}

const pathOf = (volume: VolumeId, initiator: string) => `${volume} ${initiator}`
