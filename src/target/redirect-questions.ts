// The question before every redirect (DESIGN.md): the member that would
// redirect a login asks the one it would send it to.
//
// Invariants:
//   Q1. The whole group sends a login to a member that it cannot reach at most once a minute: a destination that was
//       asked for the same login 1–60 s ago, and has not seen it arrive since, says no. Nor does it take a session by a
//       move that would have to come by such a login.
//   Q2. A question whose asker then does not redirect leaves no mark.
//   Q3. No answer within 500 ms is a no.
import type { Clock } from '../base/clock.ts'
import type { MemberId, VolumeId } from '../base/ids.ts'
import { isRandomIsid } from '../base/isid.ts'
import type { SessionRecord } from '../group/record.ts'
import { Body } from '../peer/controls.ts'
import type { PeerLinks } from '../peer/links.ts'
import { fieldsOf, type Json } from '../peer/message.ts'
import { ExpiringMap } from './expiring-map.ts'

/** An unanswered question is a no after this. */
const ASK_MS = 500
/** A repeat sooner than this is the same attempt: an initiator opens a few connections at once. */
const SAME_ATTEMPT_MS = 1_000
const UNREACHED_MS = 60_000
const MARKS_MAX = 4_096

/** Names a login in questions and marks: by its ISID, or for the random kind by where it comes from. */
export function loginKey(login: {
  readonly volume: VolumeId
  readonly initiator: string
  readonly isid: string
  readonly source: string
  readonly randomKind: boolean
}): string {
  const who = login.randomKind ? `@${login.source}` : login.isid
  return `${login.volume}|${login.initiator}|${who}`
}

/** Of the login by which a session is to come back. */
export function returnKey({ volume, initiator, isid, source }: SessionRecord): string {
  return loginKey({ volume, initiator, isid, source, randomKind: isRandomIsid(isid) })
}

export type Answer = 'yes' | 'no' | 'silent'

export class RedirectQuestions {
  readonly #clock: Clock
  readonly #peers: Pick<PeerLinks, 'ask' | 'tell'>
  /** Logins that others asked this member about and that have not arrived; the value names the question. */
  readonly #asked = new ExpiringMap<string>(UNREACHED_MS, MARKS_MAX)
  /** Questions taken back before they arrived. */
  readonly #takenBack = new ExpiringMap<true>(UNREACHED_MS, MARKS_MAX)
  #count = 0

  constructor(clock: Clock, peers: Pick<PeerLinks, 'ask' | 'tell'>) {
    this.#clock = clock
    this.#peers = peers
  }

  /** May this login be sent to `to`? After a `yes` the caller redirects, or calls `takeBack` with the same question. */
  async ask(to: MemberId, question: RedirectQuestion): Promise<Answer> {
    const reply = await this.#peers.ask(to, 'login', { ...question }, ASK_MS)
    if (reply === null) return 'silent'
    return fieldsOf(reply)?.['yes'] === true ? 'yes' : 'no'
  }

  /** A new question; `reserve` asks the destination to expect this login as a placement. */
  question(self: MemberId, key: string, reserve: boolean): RedirectQuestion {
    this.#count += 1
    return { id: `${self}:${this.#count}`, key, reserve }
  }

  takeBack(to: MemberId, question: RedirectQuestion): void {
    this.#peers.tell(to, 'login-back', { ...question })
  }

  /** The asked member's side; `takes`: it serves and accepts sessions. */
  answer(
    question: RedirectQuestion,
    takes: boolean,
  ): { readonly yes: boolean; readonly question: RedirectQuestion } {
    const now = this.#clock.nowMs()
    if (this.#asked.get(question.key, now) !== undefined) {
      return { yes: takes && !this.isUnreached(question.key), question }
    }
    const back = this.#takenBack.get(question.id, now) !== undefined
    if (!back) this.#asked.set(question.key, question.id, now)
    return { yes: takes, question }
  }

  /** Q1. It would be refused now. */
  isUnreached(key: string): boolean {
    const now = this.#clock.nowMs()
    const mark = this.#asked.get(key, now)
    return mark !== undefined && now - mark.atMs >= SAME_ATTEMPT_MS
  }

  takenBack(question: RedirectQuestion): RedirectQuestion {
    const now = this.#clock.nowMs()
    this.#takenBack.set(question.id, true, now)
    if (this.#asked.get(question.key, now)?.value === question.id) this.#asked.delete(question.key)
    return question
  }

  /** The login itself came: whoever sent it here was right. */
  arrived(key: string): void {
    this.#asked.delete(key)
  }
}

export interface RedirectQuestion {
  readonly id: string
  readonly key: string
  readonly reserve: boolean
}

export function readRedirectQuestion(json: Json): RedirectQuestion {
  const body = new Body(json)
  return { id: body.text('id'), key: body.text('key'), reserve: body.flag('reserve') }
}
