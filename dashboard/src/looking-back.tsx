// The time line under the picture: how much each member was used, when sessions moved and what was wrong; and a slider to
// look back with.
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { History } from '../../src/api/history-schema.ts'
import type { Move } from '../../src/api/schema.ts'
import { formatPercent } from '../../src/base/figures.ts'
import { moves } from './live.ts'
import { history, lookAt, lookedAt, range, readPast, showRange } from './past.ts'
import {
  marksOf,
  pathOf,
  problemsAt,
  RANGES,
  type RangeName,
  shareAt,
  timeOf,
  timeSaid,
  topOf,
} from './time-line.ts'
import { countOf, shortName } from './words.ts'

const HEIGHT = 110
/** Of the band in which it is marked what was wrong. */
const BAND = 7
/** What was short can be seen too. */
const MARK_LEAST = 3
const COLOURS = 6

export function LookingBack() {
  const width = useSignal(0)
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    readPast()
    const { current } = box
    if (current === null) return
    const observer = new ResizeObserver(() => {
      width.value = current.clientWidth
    })
    observer.observe(current)
    return () => observer.disconnect()
  }, [width])
  const known = history.value
  return (
    <section class="card" id="past" aria-labelledby="past-title">
      <header>
        <h2 id="past-title">Looking back</h2>
        <fieldset class="ranges">
          <legend class="unseen">How far</legend>
          {(Object.keys(RANGES) as RangeName[]).map((name) => (
            <button
              key={name}
              type="button"
              class="small"
              aria-pressed={range.value === name}
              onClick={() => showRange(name)}
            >
              {name}
            </button>
          ))}
        </fieldset>
      </header>
      <div ref={box} class="time-line">
        {known === null ? (
          <p class="quiet">Asking the members …</p>
        ) : (
          <Lines known={known} width={width.value} />
        )}
      </div>
    </section>
  )
}

function Lines({ known, width }: { readonly known: History; readonly width: number }) {
  const top = topOf(known)
  const yOf = (value: number) => HEIGHT - 1 - (Math.min(value, top) / top) * (HEIGHT - 2)
  const place = lookedAt.value ?? known.count - 1
  const x = (place / Math.max(1, known.count - 1)) * width
  return (
    <>
      <p class="legend">
        <span class="quiet">{formatPercent(top)}</span>
        {known.members.map(({ id, past }, at) => (
          <span key={id}>
            <i class={`lane of-${at % COLOURS}`} /> {id}
            {past === null ? <span class="quiet">, no answer</span> : null}
          </span>
        ))}
      </p>
      <svg
        width={width}
        height={HEIGHT + BAND + 3}
        role="img"
        aria-label="Use of each member over time, and what was wrong"
      >
        <line class="tick" x1={0} x2={width} y1={HEIGHT + BAND + 2} y2={HEIGHT + BAND + 2} />
        {marksOf(known).map(({ problem, from, to }) => (
          <rect
            key={`${problem.code} ${problem.subject} ${problem.from}`}
            class={`wrong ${problem.severity}`}
            x={Math.min(from * width, width - MARK_LEAST)}
            y={HEIGHT + 2}
            width={Math.max(MARK_LEAST, (to - from) * width)}
            height={BAND}
            rx={1.5}
          >
            <title>
              {problem.code} {problem.subject}, {timeSaid(Date.parse(problem.from))} to{' '}
              {problem.to === null ? 'now' : timeSaid(Date.parse(problem.to))}: {problem.sentence}
            </title>
          </rect>
        ))}
        {[0, 0.5, 1].map((mark) => (
          <line
            key={mark}
            class="tick"
            x1={0}
            x2={width}
            y1={yOf(mark * top)}
            y2={yOf(mark * top)}
          />
        ))}
        {known.members.map(({ id, past }, at) => (
          <path
            key={id}
            class={`use stroke-${at % COLOURS}`}
            d={pathOf(past?.utilisation ?? [], width, yOf)}
          />
        ))}
        {(moves.value ?? []).map((move) => (
          <Moved key={move.id} move={move} known={known} width={width} />
        ))}
        {lookedAt.value === null ? null : (
          <line class="moment" x1={x} x2={x} y1={0} y2={HEIGHT + BAND + 3} />
        )}
      </svg>
      <input
        class="scrub"
        type="range"
        min={0}
        max={known.count - 1}
        value={place}
        aria-label="Look back"
        aria-valuetext={lookedAt.value === null ? 'now' : thenSaid(known, place)}
        onInput={(event) => lookAt(Number(event.currentTarget.value))}
      />
      <p class="ends-of-time quiet">
        <span>{timeSaid(timeOf(known, 0))}</span>
        <span>now</span>
      </p>
    </>
  )
}

interface MovedProps {
  readonly move: Move
  readonly known: History
  readonly width: number
}

function Moved({ move, known, width }: MovedProps) {
  const share = shareAt(known, Date.parse(move.at))
  if (share === null || move.outcome !== 'returned') return null
  const x = share * width
  return (
    <path class="tip" d={`M${x} ${HEIGHT - 9}l4.5 9h-9z`}>
      <title>
        {timeSaid(Date.parse(move.at))}: {shortName(move.initiator)} moved {move.from} → {move.to}
      </title>
    </path>
  )
}

function thenSaid(known: History, place: number): string {
  const { length } = problemsAt(known, place)
  return timeSaid(timeOf(known, place)) + (length === 0 ? '' : `, ${countOf(length, 'problem')}`)
}
