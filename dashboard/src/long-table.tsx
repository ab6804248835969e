// A table of which only the rows in view are there, sorted by any of its columns.
import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useRef } from 'preact/hooks'
import { rowsInView } from './rows-in-view.ts'

const ROW_HEIGHT = 40
const ROWS_SEEN = 12

export interface Column<R> {
  readonly head: string
  readonly cell: (row: R) => ComponentChildren
  readonly rank: (row: R) => number | string
  readonly isNumber?: boolean
  /** How narrow a page may be that still shows it; always without. */
  readonly from?: 'middle' | 'wide'
}

interface Props<R> {
  readonly caption: string
  readonly columns: readonly Column<R>[]
  readonly rows: readonly R[]
  readonly keyOf: (row: R) => string
}

export function LongTable<R>({ caption, columns, rows, keyOf }: Props<R>) {
  const order = useSignal<{ head: string; down: boolean }>({ head: '', down: false })
  const scrolled = useSignal(0)
  const box = useRef<HTMLDivElement>(null)
  const by = columns.find(({ head }) => head === order.value.head)
  const sorted = by === undefined ? rows : sortedBy(rows, by.rank, order.value.down)
  const height = Math.min(rows.length, ROWS_SEEN) * ROW_HEIGHT
  const { first, end } = rowsInView(sorted.length, ROW_HEIGHT, scrolled.value, height)
  const sort = (column: Column<R>) => {
    const isSame = order.value.head === column.head
    order.value = {
      head: column.head,
      down: isSame ? !order.value.down : column.isNumber === true,
    }
  }
  return (
    <section
      class="long"
      ref={box}
      tabIndex={rows.length > ROWS_SEEN ? 0 : -1}
      aria-label={caption}
      style={{ maxHeight: `${(ROWS_SEEN + 1) * ROW_HEIGHT}px` }}
      onScroll={(event) => {
        scrolled.value = event.currentTarget.scrollTop
      }}
    >
      <table aria-rowcount={rows.length + 1}>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head
                key={column.head}
                column={column}
                order={order.value}
                sort={() => sort(column)}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          <Blank rows={first} />
          {sorted.slice(first, end).map((row, place) => (
            <tr key={keyOf(row)} aria-rowindex={first + place + 2}>
              {columns.map(({ head, cell, isNumber, from = '' }) => (
                <td key={head} class={`${isNumber === true ? 'number ' : ''}${from}`}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
          <Blank rows={sorted.length - end} />
        </tbody>
      </table>
    </section>
  )
}

interface HeadProps<R> {
  readonly column: Column<R>
  readonly order: { readonly head: string; readonly down: boolean }
  readonly sort: () => void
}

function Head<R>({ column, order, sort }: HeadProps<R>) {
  const { head, isNumber, from = '' } = column
  const way = order.head !== head ? 'none' : order.down ? 'descending' : 'ascending'
  return (
    <th scope="col" aria-sort={way} class={`${isNumber === true ? 'number ' : ''}${from}`}>
      <button type="button" onClick={sort}>
        {head}
      </button>
    </th>
  )
}

/** In the place of rows that are not drawn. */
function Blank({ rows }: { readonly rows: number }) {
  return rows <= 0 ? null : <tr class="blank" style={{ height: `${rows * ROW_HEIGHT}px` }} />
}

function sortedBy<R>(rows: readonly R[], rank: (row: R) => number | string, down: boolean): R[] {
  const ranked = rows.map((row) => ({ row, rank: rank(row) }))
  const way = down ? -1 : 1
  ranked.sort((a, b) => (a.rank < b.rank ? -way : a.rank > b.rank ? way : 0))
  return ranked.map(({ row }) => row)
}
