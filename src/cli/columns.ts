// What a list shows: its columns, which also say how it can be sorted.
import type { Screen } from './screen.ts'

export interface Column<T> {
  /** With the marks of Screen.table. */
  readonly head: string
  readonly cell: (item: T) => string
  /** What is compared when the list is sorted by it; the cell unless given. */
  readonly rank?: (item: T) => number | string | null
}

export interface Order {
  readonly sort?: string | undefined
  readonly reverse?: boolean | undefined
}

export function tableOf<T>(
  screen: Screen,
  columns: readonly Column<T>[],
  items: readonly T[],
): string {
  return screen.table(
    columns.map(({ head }) => head),
    items.map((item) => columns.map(({ cell }) => cell(item))),
  )
}

/** The names of the columns, as `--sort` takes them. */
export function sortKeys<T>(columns: readonly Column<T>[]): readonly string[] {
  return columns.map(({ head }) => keyOf(head))
}

/** Numbers: the largest first; words: in the order of the alphabet; what is not known comes last. */
export function inOrder<T>(
  columns: readonly Column<T>[],
  items: readonly T[],
  { sort, reverse }: Order,
): T[] {
  const column = columns.find(({ head }) => keyOf(head) === sort)
  const rank = column === undefined ? null : (column.rank ?? column.cell)
  const sorted = rank === null ? [...items] : items.toSorted((a, b) => compare(rank(a), rank(b)))
  return reverse === true ? sorted.reverse() : sorted
}

function compare(a: number | string | null, b: number | string | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null)
  if (typeof a === 'number' && typeof b === 'number') return b - a
  return String(a).localeCompare(String(b), 'en', { numeric: true })
}

export function keyOf(head: string): string {
  return head.replaceAll(/[+>~]/g, '').toLowerCase()
}
