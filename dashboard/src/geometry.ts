// The picture of the group, in numbers: members stand side by side as vessels, filled as high as they are used; each session
// hangs from its initiator on a line as wide as its load, with its float on the water. One line marks the mean: a group on
// an even keel has all its water there. Pure.
import type { Top } from '../../src/api/schema.ts'
import { type Replay, type Stage, shownOn } from './replay.ts'
import { meanOf } from './words.ts'

type Session = Top['sessions'][number]

/** What is drawn of a member, now or as it was. */
export interface DrawnMember {
  readonly id: string
  readonly state: Top['members'][number]['state']
  readonly load: { readonly utilisation: number } | null
}

interface Drawn {
  readonly members: readonly DrawnMember[]
  readonly sessions: readonly Session[]
}

export const HEIGHT = 316
/** Where the lines hang from, and the vessels. */
export const RAIL = 30
export const VESSEL_TOP = 104
export const VESSEL_BOTTOM = HEIGHT - 12
const GAP = 20
const COLUMN_LEAST = 92
const COLUMN_MOST = 420
/** A float takes so much of a vessel's width; of more sessions than there is room for, the busiest hang for themselves. */
const SLOT_LEAST = 13
/** With so much a line bears its initiator's name. */
const LABEL_LEAST = 46
const LETTER_WIDTH = 6.4
const LINE_LEAST = 1.5
const LINE_MOST = 20
/** How wide the heaviest session's line is: at rest, and for each core that it costs. */
const HEAVIEST_LEAST = 5
const HEAVIEST_PER_CORE = 44

export interface Vessel {
  readonly id: string
  readonly x: number
  readonly width: number
  /** null: it has not reported. */
  readonly utilisation: number | null
  readonly surface: number
  readonly isSilent: boolean
  /** Sessions that have no line of their own. */
  readonly others: number
}

export interface Strand {
  readonly session: Session
  readonly x: number
  readonly surface: number
  readonly width: number
  readonly radius: number
  /** null: it does not fit. */
  readonly label: string | null
  readonly stage: Stage | null
}

export interface Picture {
  readonly width: number
  readonly vessels: readonly Vessel[]
  readonly strands: readonly Strand[]
  /** null: there is nothing to compare. */
  readonly mean: number | null
  readonly meanY: number
}

/** `nameOf`: what a session's line is labelled with. */
export function layOut(
  { members, sessions }: Drawn,
  replays: ReadonlyMap<string, Replay>,
  room: number,
  nameOf: (session: Session) => string,
): Picture {
  const count = Math.max(1, members.length)
  const column = Math.floor(
    Math.min(COLUMN_MOST, Math.max(COLUMN_LEAST, (room - GAP * (count - 1)) / count)),
  )
  const byMember = new Map<string, Session[]>(members.map(({ id }) => [id, []]))
  for (const session of sessions) {
    byMember.get(shownOn(session.member, replays.get(session.id)))?.push(session)
  }
  const widest = widestOf(sessions)
  const vessels: Vessel[] = []
  const strands: Strand[] = []
  for (const [at, { id, state, load }] of members.entries()) {
    const utilisation = load?.utilisation ?? null
    const x = at * (column + GAP)
    const surface = yOf(utilisation ?? 0)
    const all = byMember.get(id) ?? []
    const shown = withOwnLine(all, Math.floor(column / SLOT_LEAST) - 1, replays)
    const others = all.length - shown.length
    vessels.push({
      ...{ id, x, width: column, utilisation, surface, others },
      isSilent: state === 'silent',
    })
    const slot = column / Math.max(1, shown.length + (others > 0 ? 1 : 0))
    for (const [place, session] of shown.entries()) {
      strands.push({
        ...{ session, surface },
        x: x + slot * (place + 0.5),
        ...weightOf(session.load, widest, slot),
        label: labelOf(nameOf(session), slot),
        stage: replays.get(session.id)?.stage ?? null,
      })
    }
  }
  const mean = members.length > 1 ? meanOf(members) : null
  const width = count * column + (count - 1) * GAP
  // In one order whatever moves, so that a line that moves is the same line.
  strands.sort((a, b) => Number(a.session.id) - Number(b.session.id))
  return { width, vessels, strands, mean, meanY: yOf(mean ?? 0) }
}

export function yOf(utilisation: number): number {
  const share = Math.min(1, Math.max(0, utilisation))
  return VESSEL_BOTTOM - share * (VESSEL_BOTTOM - VESSEL_TOP)
}

/** Those that move, then the busiest; in the order in which they came, so that they keep their places. */
function withOwnLine(
  sessions: readonly Session[],
  most: number,
  replays: ReadonlyMap<string, Replay>,
): readonly Session[] {
  const inOrder = (list: readonly Session[]) => list.toSorted((a, b) => Number(a.id) - Number(b.id))
  if (sessions.length <= most) return inOrder(sessions)
  const weight = ({ id, load, iops }: Session) =>
    (replays.has(id) ? 1e9 : 0) + (load ?? 0) * 1e6 + iops
  return inOrder(sessions.toSorted((a, b) => weight(b) - weight(a)).slice(0, most))
}

interface Widest {
  readonly load: number
  readonly width: number
}

function widestOf(sessions: readonly Session[]): Widest {
  let most = 0
  for (const { load } of sessions) most = Math.max(most, load ?? 0)
  return { load: most, width: Math.min(LINE_MOST, HEAVIEST_LEAST + most * HEAVIEST_PER_CORE) }
}

/** Lines are as wide as loads are large, in proportion to each other. */
function weightOf(load: number | null, widest: Widest, slot: number) {
  const share = load === null || widest.load === 0 ? 0 : load / widest.load
  const width = Math.min(slot - 3, Math.max(LINE_LEAST, share * widest.width))
  return { width, radius: Math.min(slot / 2 - 1, width / 2 + 4) }
}

function labelOf(name: string, slot: number): string | null {
  if (slot < LABEL_LEAST) return null
  const letters = Math.floor((slot - 6) / LETTER_WIDTH)
  // Names of hosts differ at their end.
  return name.length <= letters ? name : `…${name.slice(1 - letters)}`
}
