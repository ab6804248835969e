// All sessions of the group, to look one up.
import { useSignal } from '@preact/signals'
import type { Top } from '../../src/api/schema.ts'
import { formatMs, formatPercent, formatRate } from '../../src/base/figures.ts'
import { Connecting } from './connecting.tsx'
import { top } from './live.ts'
import { type Column, LongTable } from './long-table.tsx'
import { countOf, shortName } from './words.ts'

type Row = Top['sessions'][number]

const COLUMNS: readonly Column<Row>[] = [
  {
    head: 'Initiator',
    cell: ({ id, initiator }) => (
      <a href={`#session/${id}`} title={initiator}>
        {shortName(initiator)}
      </a>
    ),
    rank: ({ initiator }) => shortName(initiator),
  },
  { head: 'Member', cell: ({ member }) => member, rank: ({ member }) => member },
  {
    head: 'Volume',
    cell: ({ volume }) => <a href={`#volume/${volume}`}>{volume}</a>,
    rank: ({ volume }) => volume,
    from: 'middle',
  },
  {
    head: 'State',
    cell: ({ state, pinned }) => (state === 'live' && pinned !== null ? 'pinned' : state),
    rank: ({ state }) => state,
    from: 'wide',
  },
  {
    head: 'IOPS',
    cell: ({ iops }) => iops.toFixed(0),
    rank: ({ iops }) => iops,
    isNumber: true,
  },
  {
    head: 'Data',
    cell: ({ bytesPerSecond }) => formatRate(bytesPerSecond),
    rank: ({ bytesPerSecond }) => bytesPerSecond,
    isNumber: true,
    from: 'middle',
  },
  {
    head: 'Latency',
    cell: ({ latencyMs }) => formatMs(latencyMs),
    rank: ({ latencyMs }) => latencyMs ?? -1,
    isNumber: true,
    from: 'middle',
  },
  {
    head: 'CPU',
    cell: ({ load }) => (load === null ? '–' : formatPercent(load)),
    rank: ({ load }) => load ?? -1,
    isNumber: true,
  },
  {
    head: 'Forwarded',
    cell: ({ forwardedShare }) => formatPercent(forwardedShare),
    rank: ({ forwardedShare }) => forwardedShare,
    isNumber: true,
    from: 'wide',
  },
]

export function Sessions() {
  const wanted = useSignal('')
  const sessions = top.value?.sessions ?? []
  const words = wanted.value.toLowerCase().split(/\s+/).filter(Boolean)
  const found = sessions.filter(({ id, initiator, member, volume }) => {
    const text = `${id} ${initiator} ${member} ${volume}`.toLowerCase()
    return words.every((word) => text.includes(word))
  })
  return (
    <section class="card" id="sessions" aria-labelledby="sessions-title">
      <header>
        <h2 id="sessions-title">Sessions</h2>
        {sessions.length === 0 ? null : (
          <label class="find">
            <span class="unseen">Find sessions by initiator, member or volume</span>
            <input
              type="search"
              placeholder="Find: initiator, member, volume"
              value={wanted.value}
              onInput={(event) => {
                wanted.value = event.currentTarget.value
              }}
            />
          </label>
        )}
      </header>
      {sessions.length === 0 ? (
        <Connecting />
      ) : (
        <>
          <LongTable caption="Sessions" columns={COLUMNS} rows={found} keyOf={({ id }) => id} />
          <p class="quiet">
            {found.length === sessions.length
              ? countOf(found.length, 'session')
              : `${countOf(found.length, 'session')} of ${sessions.length.toLocaleString('en')}`}
          </p>
        </>
      )}
    </section>
  )
}
