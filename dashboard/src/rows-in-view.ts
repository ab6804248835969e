// Which rows of a long list are drawn: those in view and a few around them. Pure.

const AROUND = 6

export interface Shown {
  readonly first: number
  /** Behind the last one. */
  readonly end: number
}

export function rowsInView(count: number, rowHeight: number, top: number, height: number): Shown {
  const first = Math.max(0, Math.min(count, Math.floor(top / rowHeight)) - AROUND)
  const end = Math.min(count, Math.ceil((top + height) / rowHeight) + AROUND)
  return { first, end: Math.max(first, end) }
}
