// The picture of the group, in numbers: members stand side by side as vessels, filled as high as they are used; each session
// hangs from its initiator on a line as wide as its load, with its float on the water. One line marks the mean: a group on
// an even keel has all its water there. Pure.
import type { Top } from '../../src/api/schema.ts'
import { type Replay, type Stage, shownOn } from './replay.ts'
import { meanOf } from './words.ts'

/** What is drawn of a session, now or as it was. */
export interface DrawnSession {
  readonly id: string
  readonly initiator: string
  readonly member: string
  readonly load: number | null
  readonly iops: number
}

/** What is drawn of a member, now or as it was. */
export interface DrawnMember {
  readonly id: string
  readonly state: Top['members'][number]['state']
  readonly load: { readonly utilisation: number } | null
  /** Of its sessions those of which no more is known. */
  readonly unlisted?: number
}

interface Drawn<S> {
  readonly members: readonly DrawnMember[]
  readonly sessions: readonly S[]
}

export const HEIGHT = 330
/** Where the lines hang from, and the vessels. */
export const RAIL = 44
export const VESSEL_TOP = 118
/** Above the rail: the first row of names, and how far the next one is above it. */
const FIRST_ROW = 10
const ROW = 14
export const VESSEL_BOTTOM = HEIGHT - 12
const GAP = 20
const COLUMN_LEAST = 92
const COLUMN_MOST = 460
/** A float takes so much of a vessel's width; of more sessions than there is room for, the busiest hang for themselves. */
const SLOT_LEAST = 13
/** With so much room a line bears its initiator's name. */
const LABEL_LEAST = 30
/** Between two names. */
const LABEL_GAP = 2
/** Of letters of 11 px, about, in the fonts that systems have. */
const NARROW = /[ijlftr1.,:;|!'-]/
const BROAD = /[mwMW]/
const [NARROW_WIDTH, LETTER_WIDTH, BROAD_WIDTH] = [3.7, 6.7, 10]
/** A name in two rows may reach over its neighbour's slot, and so far beyond its vessel that it meets nobody's there. */
const REACH_MOST = GAP - 2
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

export interface Strand<S = DrawnSession> {
  readonly session: S
  readonly x: number
  readonly surface: number
  readonly width: number
  readonly radius: number
  /** null: it does not fit. */
  readonly label: string | null
  readonly labelY: number
  readonly stage: Stage | null
}

export interface Picture<S = DrawnSession> {
  readonly width: number
  readonly vessels: readonly Vessel[]
  readonly strands: readonly Strand<S>[]
  /** null: there is nothing to compare. */
  readonly mean: number | null
  readonly meanY: number
}

/** `nameOf`: what a session's line is labelled with. */
export function layOut<S extends DrawnSession>(
  { members, sessions }: Drawn<S>,
  replays: ReadonlyMap<string, Replay>,
  room: number,
  nameOf: (session: S) => string,
): Picture<S> {
  const count = Math.max(1, members.length)
  const column = Math.floor(
    Math.min(COLUMN_MOST, Math.max(COLUMN_LEAST, (room - GAP * (count - 1)) / count)),
  )
  const byMember = new Map<string, S[]>(members.map(({ id }) => [id, []]))
  for (const session of sessions) {
    byMember.get(shownOn(session.member, replays.get(session.id)))?.push(session)
  }
  const widest = widestOf(sessions)
  const vessels: Vessel[] = []
  const strands: Strand<S>[] = []
  for (const [at, { id, state, load, unlisted = 0 }] of members.entries()) {
    const utilisation = load?.utilisation ?? null
    const x = at * (column + GAP)
    const surface = yOf(utilisation ?? 0)
    const all = byMember.get(id) ?? []
    const shown = withOwnLine(all, Math.floor(column / SLOT_LEAST) - 1, replays)
    const others = all.length - shown.length + unlisted
    vessels.push({
      ...{ id, x, width: column, utilisation, surface, others },
      isSilent: state === 'silent',
    })
    const slot = column / Math.max(1, shown.length + (others > 0 ? 1 : 0))
    const labels = labelsOf(shown.map(nameOf), slot)
    for (const [place, session] of shown.entries()) {
      strands.push({
        ...{ session, surface },
        x: x + slot * (place + 0.5),
        ...weightOf(session.load, widest, slot),
        ...(labels[place] ?? NO_LABEL),
        stage: replays.get(session.id)?.stage ?? null,
      })
    }
  }
  const mean = members.length > 1 ? meanOf(members) : null
  const width = count * column + (count - 1) * GAP
  // In one order whatever moves, so that a line that moves is the same line.
  strands.sort((a, b) => Number(a.session.id) - Number(b.session.id))
  return { width, vessels, strands: raised(strands, nameOf), mean, meanY: yOf(mean ?? 0) }
}

export function yOf(utilisation: number): number {
  const share = Math.min(1, Math.max(0, utilisation))
  return VESSEL_BOTTOM - share * (VESSEL_BOTTOM - VESSEL_TOP)
}

/** Those that move, then the busiest; in the order in which they came, so that they keep their places. */
function withOwnLine<S extends DrawnSession>(
  sessions: readonly S[],
  most: number,
  replays: ReadonlyMap<string, Replay>,
): readonly S[] {
  const inOrder = (list: readonly S[]) => list.toSorted((a, b) => Number(a.id) - Number(b.id))
  if (sessions.length <= most) return inOrder(sessions)
  const weight = ({ id, load, iops }: S) => (replays.has(id) ? 1e9 : 0) + (load ?? 0) * 1e6 + iops
  return inOrder(sessions.toSorted((a, b) => weight(b) - weight(a)).slice(0, most))
}

interface Widest {
  readonly load: number
  readonly width: number
}

function widestOf(sessions: readonly DrawnSession[]): Widest {
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

type Label = Pick<Strand, 'label' | 'labelY'>
const NO_LABEL: Label = { label: null, labelY: 0 }

/** Where names do not fit side by side, they stand in two rows by turns. */
function labelsOf(names: readonly string[], slot: number): readonly Label[] {
  const inRows = names.length > 1 && names.some((name) => widthOf(name) > slot - LABEL_GAP)
  const room = inRows ? slot + Math.min(slot, REACH_MOST) : slot
  return names.map((name, place) => ({
    label: labelOf(name, room - LABEL_GAP),
    labelY: RAIL - FIRST_ROW - (inRows ? place % 2 : 0) * ROW,
  }))
}

/** On its way a line passes others: its name goes above theirs, where one alone has much room. */
function raised<S>(strands: readonly Strand<S>[], nameOf: (session: S) => string): Strand<S>[] {
  const still = strands.filter(({ stage }) => stage === null)
  const isOnly = strands.length - still.length === 1
  const labelY = Math.min(RAIL - FIRST_ROW, ...still.map((strand) => strand.labelY)) - ROW
  return strands.map((strand) => {
    if (strand.stage === null) return strand
    const alone = labelOf(nameOf(strand.session), 2 * COLUMN_LEAST)
    return { ...strand, labelY, label: isOnly ? alone : strand.label }
  })
}

function labelOf(name: string, room: number): string | null {
  if (widthOf(name) <= room) return name
  if (room < LABEL_LEAST) return null
  // Names of hosts differ at their end.
  let end = name
  while (end !== '' && widthOf(`…${end}`) > room) end = end.slice(1)
  return `…${end}`
}

function widthOf(name: string): number {
  let width = 0
  for (const letter of name) {
    width += NARROW.test(letter) ? NARROW_WIDTH : BROAD.test(letter) ? BROAD_WIDTH : LETTER_WIDTH
  }
  return width
}
