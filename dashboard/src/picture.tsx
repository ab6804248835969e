// The picture of the group (geometry.ts), drawn: what moves in it is moved by the style sheet.
import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { Move, Top } from '../../src/api/schema.ts'
import { formatMs, formatPercent, formatRate } from '../../src/base/figures.ts'
import {
  type DrawnSession,
  HEIGHT,
  layOut,
  type Picture,
  RAIL,
  type Strand,
  VESSEL_BOTTOM,
  VESSEL_TOP,
  type Vessel,
  yOf,
} from './geometry.ts'
import { moves, status, top } from './live.ts'
import { MemberFacts } from './member-facts.tsx'
import { history, lookedAt, moment } from './past.ts'
import { PastFacts } from './past-facts.tsx'
import { replays } from './replay.ts'
import { membersAt, type PastMember, sessionsThen, type ThenSession } from './time-line.ts'
import { shortName } from './words.ts'

/** On a wide page the mean is named beside the vessels, on a narrow one above its line. */
const WIDE = 700
const BESIDE = 112
/** So that the vessels' edges are not cut, and the names that reach over them. */
const MARGIN = 10
/** For so long the way of a move stays marked. */
const TRACE_MS = 60_000

export function GroupPicture() {
  const room = useSignal(0)
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const { current } = box
    if (current === null) return
    const observer = new ResizeObserver(() => {
      room.value = current.clientWidth - 2 * MARGIN
    })
    observer.observe(current)
    return () => observer.disconnect()
  }, [room])
  const now = top.value
  const known = history.value
  const past = known === null || lookedAt.value === null ? null : membersAt(known, lookedAt.value)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: many members are wider than the page, and it is scrolled with the keyboard
    <section class="picture" ref={box} aria-label="The members of the group" tabIndex={0}>
      {now === null || room.value === 0 ? null : past === null ? (
        <DrawnNow now={now} room={room.value} />
      ) : (
        <DrawnThen past={past} room={room.value} />
      )}
    </section>
  )
}

type Session = Top['sessions'][number]

function saidNow({ id, initiator, member, volume, iops, bytesPerSecond, latencyMs }: Session) {
  return `${shortName(initiator)} on ${member}: session ${id} of ${volume}, ${iops.toFixed(0)} commands a second, ${formatRate(bytesPerSecond)}, ${formatMs(latencyMs)}`
}

function saidThen({ id, initiator, member, volume }: ThenSession) {
  return `${shortName(initiator)} was on ${member}: session ${id} of ${volume}`
}

function DrawnNow({ now, room }: { readonly now: Top; readonly room: number }) {
  const aside = room >= WIDE ? BESIDE : 0
  const picture = layOut(now, replays.value, room - aside, ({ initiator }) => shortName(initiator))
  const facts = new Map(status.value?.members.map((member) => [member.id, member]))
  return (
    <Frame picture={picture} aside={aside} at={now.at} saidOf={saidNow}>
      {now.members.map((member) => (
        <MemberFacts key={member.id} member={member} known={facts.get(member.id)} />
      ))}
    </Frame>
  )
}

interface ThenProps {
  readonly past: readonly PastMember[]
  readonly room: number
}

/** Of each member some fifty sessions are kept: the others are counted. */
function DrawnThen({ past, room }: ThenProps) {
  const aside = room >= WIDE ? BESIDE : 0
  const known = moment.value
  const members = past.map(({ id, utilisation }) => ({
    id,
    state: utilisation === null ? ('silent' as const) : ('up' as const),
    load: utilisation === null ? null : { utilisation },
    unlisted: known?.members.find((one) => one.id === id)?.past?.others ?? 0,
  }))
  const sessions = known === null ? [] : sessionsThen(known)
  const picture = layOut({ members, sessions }, new Map(), room - aside, ({ initiator }) =>
    shortName(initiator),
  )
  return (
    <Frame picture={picture} aside={aside} at="" saidOf={saidThen}>
      {past.map((member) => (
        <PastFacts key={member.id} member={member} />
      ))}
    </Frame>
  )
}

interface FrameProps<S> extends VesselsProps<S> {
  readonly children: ComponentChildren
}

function Frame<S extends DrawnSession>({ picture, aside, at, saidOf, children }: FrameProps<S>) {
  return (
    <div class="group" style={{ width: `${picture.width + aside}px` }}>
      <Vessels picture={picture} aside={aside} at={at} saidOf={saidOf} />
      <ul
        class="members"
        style={{
          width: `${picture.width}px`,
          gridTemplateColumns: `repeat(${picture.vessels.length}, minmax(0, 1fr))`,
        }}
      >
        {children}
      </ul>
    </div>
  )
}

interface VesselsProps<S> {
  readonly picture: Picture<S>
  /** What a session's line says. */
  readonly saidOf: (session: S) => string
  readonly aside: number
  readonly at: string
}

function Vessels<S extends DrawnSession>({ picture, aside, at, saidOf }: VesselsProps<S>) {
  const { width, vessels, strands, mean, meanY } = picture
  return (
    // biome-ignore lint/a11y/useSemanticElements: an SVG element is no fieldset
    <svg
      width={width + aside}
      height={HEIGHT}
      role="group"
      aria-label="Sessions, hanging on their members"
      onKeyDown={walk}
    >
      <defs>
        <marker
          id="tip"
          viewBox="0 0 8 8"
          refX="7"
          refY="4"
          markerWidth="7"
          markerHeight="7"
          orient="auto"
        >
          <path d="M0 0.5 8 4 0 7.5z" class="tip" />
        </marker>
      </defs>
      {vessels.map((vessel) => (
        <Filled key={vessel.id} vessel={vessel} />
      ))}
      <Traces vessels={vessels} at={at} />
      {strands.map((strand, place) => (
        <Hanging
          key={strand.session.id}
          strand={strand}
          said={saidOf(strand.session)}
          isFirst={place === 0}
        />
      ))}
      {mean === null ? null : (
        <g class="mean" style={{ transform: `translateY(${meanY}px)` }}>
          <line x1={0} x2={width + aside / 10} y1={0} y2={0} />
          <text
            x={aside > 0 ? width + aside / 10 + 6 : width - 6}
            y={aside > 0 ? 4.5 : -7}
            text-anchor={aside > 0 ? 'start' : 'end'}
          >
            mean {formatPercent(mean)}
          </text>
        </g>
      )}
    </svg>
  )
}

/** Arrows go from line to line; Enter opens what is said of the session. */
function walk(event: KeyboardEvent): void {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
  if (step === undefined || !(event.currentTarget instanceof SVGElement)) return
  const links = [...event.currentTarget.querySelectorAll<SVGAElement>('a')].sort(
    (a, b) => a.getBoundingClientRect().x - b.getBoundingClientRect().x,
  )
  const place = links.findIndex((link) => link.matches(':focus'))
  links[(place + step + links.length) % links.length]?.focus()
  event.preventDefault()
}

function Filled({ vessel }: { readonly vessel: Vessel }) {
  const { id, x, width, utilisation, surface, isSilent, others } = vessel
  const height = VESSEL_BOTTOM - VESSEL_TOP
  const hot = utilisation !== null && utilisation >= 0.9
  return (
    <g class={`vessel${isSilent ? ' silent' : ''}${hot ? ' hot' : ''}`}>
      <clipPath id={`of-${id}`}>
        <rect x={x} y={VESSEL_TOP} width={width} height={height} rx={10} />
      </clipPath>
      <rect class="wall" x={x} y={VESSEL_TOP} width={width} height={height} rx={10} />
      <g clip-path={`url(#of-${id})`}>
        <rect
          class="water"
          x={x}
          y={0}
          width={width}
          height={height + 20}
          style={{ transform: `translateY(${surface}px)` }}
        />
      </g>
      {[0.25, 0.5, 0.75].map((mark) => (
        <line key={mark} class="tick" x1={x} x2={x + 7} y1={yOf(mark)} y2={yOf(mark)} />
      ))}
      {isSilent ? (
        <text
          class="gone"
          x={x + width / 2}
          y={(VESSEL_TOP + VESSEL_BOTTOM) / 2}
          text-anchor="middle"
        >
          no answer
        </text>
      ) : null}
      <line class="rail" x1={x} x2={x + width} y1={RAIL} y2={RAIL} />
      {others > 0 ? (
        <text class="others" x={x + width} y={RAIL - 9} text-anchor="end">
          and {others.toLocaleString('en')} more
        </text>
      ) : null}
    </g>
  )
}

interface HangingProps {
  readonly strand: Strand
  readonly said: string
  readonly isFirst: boolean
}

function Hanging({ strand, said, isFirst }: HangingProps) {
  const { session, x, surface, width, radius, label, labelY, stage } = strand
  return (
    <a
      class={`strand ${stage ?? ''}`}
      href={`#session/${session.id}`}
      aria-label={said}
      tabIndex={isFirst ? 0 : -1}
      style={{ transform: `translateX(${x}px)` }}
    >
      <title>{said}</title>
      <rect class="reach" x={-9} y={0} width={18} height={HEIGHT} />
      {label === null ? null : (
        <text class="name" style={{ transform: `translateY(${labelY}px)` }} text-anchor="middle">
          {label}
        </text>
      )}
      <circle class="knot" cy={RAIL} r={3} />
      <rect
        class="line"
        x={-width / 2}
        y={RAIL}
        width={width}
        rx={width / 2}
        style={{ height: `${surface - RAIL}px` }}
      />
      <g class="lift">
        <circle class="float" r={radius} style={{ transform: `translateY(${surface}px)` }} />
      </g>
    </a>
  )
}

/** The ways of the last moves. */
function Traces({ vessels, at }: { readonly vessels: readonly Vessel[]; readonly at: string }) {
  const nowMs = Date.parse(at)
  const recent = (moves.value ?? []).filter(
    (move) => move.outcome === 'returned' && nowMs - Date.parse(move.at) < TRACE_MS,
  )
  return (
    <g class="traces">
      {recent.slice(0, 8).map((move) => (
        <Trace key={move.id} move={move} vessels={vessels} />
      ))}
    </g>
  )
}

function Trace({ move, vessels }: { readonly move: Move; readonly vessels: readonly Vessel[] }) {
  const from = vessels.find(({ id }) => id === move.from)
  const to = vessels.find(({ id }) => id === move.to)
  if (from === undefined || to === undefined) return null
  const inward = from.x < to.x ? 1 : -1
  const x1 = from.x + from.width / 2 + (from.width / 2 - 14) * inward
  const x2 = to.x + to.width / 2 - (to.width / 2 - 14) * inward
  const y = VESSEL_TOP - 6
  return (
    <path d={`M${x1} ${y}C${x1} ${y - 34} ${x2} ${y - 34} ${x2} ${y}`} marker-end="url(#tip)" />
  )
}
