// The columns of lists of sessions.
import type { Session } from '../api/schema.ts'
import { formatPercent, formatRate } from '../base/figures.ts'
import { ageOf } from './age.ts'
import type { Column } from './columns.ts'

export const SESSION_COLUMNS: readonly Column<Session>[] = [
  { head: 'ID', cell: ({ id }) => id },
  { head: 'VOLUME~', cell: ({ volume }) => volume },
  { head: 'MEMBER', cell: ({ member }) => member },
  {
    head: 'STATE',
    cell: ({ state, pinned }) => (state === 'live' && pinned !== null ? 'pinned' : state),
  },
  { head: 'IOPS>', cell: ({ iops }) => iops.toFixed(0), rank: ({ iops }) => iops },
  {
    head: 'BYTES/S>',
    cell: ({ bytesPerSecond }) => formatRate(bytesPerSecond),
    rank: ({ bytesPerSecond }) => bytesPerSecond,
  },
  {
    head: '+FORWARDED>',
    cell: ({ forwardedShare }) => formatPercent(forwardedShare),
    rank: ({ forwardedShare }) => forwardedShare,
  },
  { head: 'AGE>', cell: ({ since }) => ageOf(since), rank: ({ since }) => -Date.parse(since) },
  { head: 'ADDRESS~', cell: ({ source }) => source },
  { head: 'INITIATOR~', cell: ({ initiator }) => initiator },
  { head: '+ISID', cell: ({ isid }) => isid },
  { head: '+SINCE', cell: ({ since }) => since },
]
