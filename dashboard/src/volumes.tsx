// The volumes of the group: how large, how much of it is written and taken, who uses them.

import type { Top, Volume } from '../../src/api/schema.ts'
import { formatPercent, formatSize } from '../../src/base/figures.ts'
import { top, volumes } from './live.ts'
import { type Column, LongTable } from './long-table.tsx'

interface Row extends Volume {
  readonly iops: number
  readonly forwarded: number
}

const COLUMNS: readonly Column<Row>[] = [
  {
    head: 'Volume',
    cell: ({ name }) => <a href={`#volume/${name}`}>{name}</a>,
    rank: ({ name }) => name,
  },
  {
    head: 'Size',
    cell: ({ bytes }) => formatSize(bytes),
    rank: ({ bytes }) => bytes,
    isNumber: true,
  },
  {
    head: 'Written',
    cell: ({ usage }) => sizeOf(usage, 'bytes'),
    rank: ({ usage }) => usage?.bytes ?? 0,
    isNumber: true,
  },
  {
    head: 'Taken',
    cell: ({ usage }) => sizeOf(usage, 'takenBytes'),
    rank: ({ usage }) => usage?.takenBytes ?? 0,
    isNumber: true,
    from: 'middle',
  },
  {
    head: 'Sessions',
    cell: ({ sessions }) => sessions.toLocaleString('en'),
    rank: ({ sessions }) => sessions,
    isNumber: true,
    from: 'middle',
  },
  {
    head: 'IOPS',
    cell: ({ iops }) => iops.toFixed(0),
    rank: ({ iops }) => iops,
    isNumber: true,
    from: 'middle',
  },
  {
    head: 'Forwarded',
    cell: ({ forwarded, iops }) => (iops < 0.5 ? '–' : formatPercent(forwarded)),
    rank: ({ forwarded }) => forwarded,
    isNumber: true,
    from: 'wide',
  },
]

export function Volumes() {
  const known = volumes.value
  return (
    <section class="card" id="volumes" aria-labelledby="volumes-title">
      <header>
        <h2 id="volumes-title">Volumes</h2>
        <a class="button" href="#new/volume">
          New volume
        </a>
      </header>
      {known === null ? null : known.length === 0 ? (
        <div class="empty">
          <p>There is no volume yet.</p>
          <p>
            A volume is what an initiator sees as a disk. It is spread over all members, and takes
            room only for what is written.
          </p>
        </div>
      ) : (
        <LongTable
          caption="Volumes"
          columns={COLUMNS}
          rows={withWork(known, top.value)}
          keyOf={({ id }) => id}
        />
      )}
    </section>
  )
}

/** What their sessions do. */
function withWork(known: readonly Volume[], now: Top | null): readonly Row[] {
  const work = new Map<string, { sessions: number; iops: number; forwarded: number }>()
  for (const { volume, iops, forwardedShare } of now?.sessions ?? []) {
    const sum = work.get(volume) ?? { sessions: 0, iops: 0, forwarded: 0 }
    sum.sessions += 1
    sum.iops += iops
    sum.forwarded += iops * forwardedShare
    work.set(volume, sum)
  }
  return known.map((volume) => {
    const { sessions = volume.sessions, iops = 0, forwarded = 0 } = work.get(volume.name) ?? {}
    return { ...volume, sessions, iops, forwarded: iops > 0 ? forwarded / iops : 0 }
  })
}

/** At least, while a member does not answer. */
function sizeOf(usage: Volume['usage'], what: 'bytes' | 'takenBytes'): string {
  if (usage === undefined) return '–'
  return `${usage.silent.length === 0 ? '' : '≥ '}${formatSize(usage[what])}`
}
