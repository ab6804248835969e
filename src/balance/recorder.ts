// What this member remembers of its load, so that what its distribution did can be looked at, and another policy tried on it
// (`balance replay`): every ten seconds what it reports, and what each of its sessions asks for. It is kept in memory: on disk it would
// take a part of what writes have, for something that is of little use once a member has started anew; and the others keep theirs.
//
// Invariants:
//   RC1. What is kept has a bound, 4 MiB of text: in a group of three half a day of ten sessions, an hour of a hundred. The oldest
//        goes first.
//   RC2. A page of it is short enough to be sent between two writes.
import type { RecordedEntry, RecordingPage } from '../api/balance-schema.ts'
import type { MemberId } from '../base/ids.ts'
import type { End } from '../distribution/view.ts'
import { asTable, type Demand, type SessionLoad, shareAt } from '../load/load-table.ts'
import { Body } from '../peer/controls.ts'
import type { Json } from '../peer/message.ts'

export const RECORD_SECONDS = 10
const KEPT_MAX = 4 * 1024 * 1024
/** An entry alone that is larger is not kept: some 10,000 sessions at one member. */
const ENTRY_MAX = 1024 * 1024
const PAGE_MAX = 256 * 1024

export interface Recordable {
  readonly atMs: number
  /** What it reports. */
  readonly end: End
  readonly sessions: Iterable<readonly [id: number, load: SessionLoad]>
}

export class Recorder {
  readonly #member: MemberId
  readonly #kept: { readonly n: number; readonly text: string }[] = []
  #size = 0
  #count = 0

  constructor(member: MemberId) {
    this.#member = member
  }

  note(recordable: Recordable): void {
    this.#count += 1
    const text = JSON.stringify(entryOf(this.#count, recordable))
    if (text.length > ENTRY_MAX) return
    this.#kept.push({ n: this.#count, text })
    this.#size += text.length
    while (this.#size > KEPT_MAX) this.#size -= this.#kept.shift()?.text.length ?? 0
  }

  /** What was kept after the entry of that number, as much as goes into a page; `next`: where to go on, null: that is all. */
  page(after: number): RecordingPage {
    const entries: RecordedEntry[] = []
    let size = 0
    let next: number | null = null
    for (const { n, text } of this.#kept) {
      if (n <= after) continue
      if (entries.length > 0 && size + text.length > PAGE_MAX) {
        next = entries.at(-1)?.n ?? null
        break
      }
      entries.push(JSON.parse(text))
      size += text.length
    }
    return { member: this.#member, everySeconds: RECORD_SECONDS, entries, next }
  }
}

function entryOf(n: number, { atMs, end, sessions }: Recordable): RecordedEntry {
  const { member, capacity, load, sigma } = end
  const own = capacity.map(() => 0)
  const told: RecordedEntry['sessions'] = []
  for (const [id, session] of sessions) {
    const { fast } = asTable(session, shareAt(session, member))
    own.forEach((sum, r) => {
      own[r] = sum + (fast[r] ?? 0)
    })
    const { remote, local } = session.fast
    const owners = session.owners.map(([owner, share]): [string, number] => [owner, tidy(share)])
    told.push([id, tidied(remote), tidied(local), tidy(session.elsewhere), owners])
  }
  const base = load.fast.map((whole, r) => Math.max(0, whole - (own[r] ?? 0)))
  return {
    ...{ n, atMs, capacity: tidied(capacity), sigma: tidied(sigma) },
    ...{ slow: tidied(load.slow), fast: tidied(load.fast), base: tidied(base), sessions: told },
  }
}

const tidied = (list: Demand['remote']) => list.map(tidy)

/** To a millionth of a core, or of all pages. */
function tidy(x: number): number {
  return Number.isFinite(x) ? Math.round(x * 1e6) / 1e6 : 0
}

/** After which entry the page begins. */
export function readAfter(json: Json): number {
  return new Body(json).whole('after')
}
