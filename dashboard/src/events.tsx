// What has happened lately, the newest first, as the member that serves this page has seen it.
import { useSignal } from '@preact/signals'
import { EVENT_KINDS } from '../../src/api/event-kinds.ts'
import type { Event } from '../../src/api/event-schema.ts'
import { events } from './live.ts'
import { timeSaid } from './time-line.ts'
import { sentence } from './words.ts'

const ALL = 'everything'

export function Events() {
  const wanted = useSignal(ALL)
  const known = events.value
  const shown = known?.filter(({ event }) => wanted.value === ALL || event.kind === wanted.value)
  return (
    <section class="card" id="events" aria-labelledby="events-title">
      <header>
        <h2 id="events-title">Events</h2>
        <label>
          <span class="unseen">Of which kind</span>
          <select
            value={wanted.value}
            onChange={({ currentTarget }) => {
              wanted.value = currentTarget.value
            }}
          >
            {[ALL, ...EVENT_KINDS].map((kind) => (
              <option key={kind} value={kind}>
                {kind === ALL ? ALL : `of a ${kind}`}
              </option>
            ))}
          </select>
        </label>
      </header>
      {shown === undefined ? null : shown.length === 0 ? (
        <div class="empty">
          <p>Nothing has happened lately.</p>
          <p>
            Sessions that come, go and move, problems that appear and are over, and changes that
            somebody makes are told here as they happen.
          </p>
        </div>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled with the keyboard
        <ol class="events" tabIndex={0} aria-labelledby="events-title">
          {shown.map((one) => (
            <Happened key={one.event.id} {...one} />
          ))}
        </ol>
      )}
    </section>
  )
}

function Happened({ event, change, severity }: Event) {
  const { at, kind } = event
  const badge = kind === 'problem' && change === 'appeared' ? `badge ${severity}` : 'badge'
  return (
    <li>
      <time class="quiet" dateTime={at}>
        {timeSaid(Date.parse(at))}
      </time>
      <span class={badge}>
        {kind} {change}
      </span>
      <p>
        {sentence(event.sentence)} <Concerned event={event} />
      </p>
    </li>
  )
}

/** Where more is known of it. */
function Concerned({ event: { session, volume, members } }: Pick<Event, 'event'>) {
  const places = [
    ...(session === null ? [] : [{ href: `#session/${session}`, name: `session ${session}` }]),
    ...(volume === null ? [] : [{ href: `#volume/${volume}`, name: volume }]),
    ...members.map((id) => ({ href: `#member/${id}`, name: id })),
  ]
  return (
    <span class="concerned">
      {places.map(({ href, name }) => (
        <a key={href} href={href}>
          {name}
        </a>
      ))}
    </span>
  )
}
