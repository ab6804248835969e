// Where a command prints: data to standard output, everything else to standard error; tables for people, or with `-o
// json` exactly one object.
//
// Invariants:
//   S1. A table has one word in each field, so that it can be cut with awk: a number and its unit stay together.
//   S2. On a terminal no line of a table is wider than the terminal while its flexible columns can give way; in a pipe
//       nothing is cut.
import { createRequire } from 'node:module'
import pc from 'picocolors'
import { SCHEMA } from '../api/errors.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import { widthOf } from './width.ts'
import { wrap } from './wrap.ts'

export interface Outlet {
  write(text: string): void
  readonly isTTY: boolean
  /** Of the terminal; undefined: not known, or none. */
  readonly columns?: number | undefined
  readonly rows?: number | undefined
  /** Calls when the terminal has another size; returns how to stop that. */
  readonly onResize?: (resized: () => void) => () => void
}

export const OUTPUT_FORMS = ['table', 'wide', 'json', 'yaml', 'name'] as const
export type OutputForm = (typeof OUTPUT_FORMS)[number]

/** What a terminal that does not say has. */
const WIDTH = 80
const FLEXIBLE_MIN = 6
const GAP = '  '

export class Screen {
  readonly #out: Outlet
  readonly #err: Outlet
  readonly form: OutputForm
  /** A view that renews itself is on the terminal, and a line of its own would disturb it. */
  isLive = false
  readonly colours: ReturnType<typeof pc.createColors>

  /** `colour` undefined: if standard output is a terminal; NO_COLOR, handed in as false, wins. */
  constructor(out: Outlet, err: Outlet, form: OutputForm, colour: boolean | undefined) {
    this.#out = out
    this.#err = err
    this.form = form
    // What is no terminal has no `isTTY`; undefined would leave the choice to picocolors, which colours whatever CI runs.
    const isColoured = this.isForPeople && (colour ?? out.isTTY)
    this.colours = pc.createColors(Boolean(isColoured))
  }

  get isTerminal(): boolean {
    return this.#out.isTTY
  }

  get isForPeople(): boolean {
    return this.form === 'table' || this.form === 'wide'
  }

  /** Columns that a line may have; a pipe has no end. */
  get width(): number {
    return this.isTerminal ? (this.#out.columns ?? WIDTH) : Number.POSITIVE_INFINITY
  }

  /** The answer: as an object, as names, or as what `people` makes of it. */
  show<T extends object>(value: T, people: (value: T) => string): void {
    this.print(`${this.text(value, people)}\n`)
  }

  /** What `show` prints, without the last line break. */
  text<T extends object>(value: T, people: (value: T) => string): string {
    switch (this.form) {
      case 'json':
        return JSON.stringify({ schema: SCHEMA, ...value })
      case 'yaml':
        return yaml({ schema: SCHEMA, ...value })
      case 'name':
        return namesIn(value).join('\n')
      case 'table':
      case 'wide':
        return people(value)
    }
  }

  print(text: string): void {
    this.#out.write(text)
  }

  note(text: string): void {
    this.#err.write(`${text}\n`)
  }

  /**
   * Columns without lines between them. The name of a column says what it is like: `LOAD>` is aligned right, `+URL` is
   * for wide tables only (`-o wide`), `NAME~` gives way if the terminal is too narrow.
   */
  table(
    heads: readonly string[],
    rows: readonly (readonly string[])[],
    wide = this.form === 'wide',
  ): string {
    const columns = heads.flatMap((mark, i) => {
      if (mark.startsWith('+') && !wide) return []
      const cells = rows.map((row) => oneField(row[i] ?? ''))
      const head = mark.replaceAll(/[+>~]/g, '')
      const width = Math.max(widthOf(head), ...cells.map((cell) => widthOf(cell)))
      return [{ head, cells, width, right: mark.endsWith('>'), flexible: mark.endsWith('~') }]
    })
    let surplus = columns.reduce((sum, { width }) => sum + width + GAP.length, -GAP.length)
    surplus -= this.width
    // The widest gives way first.
    const yielding = columns.filter(({ flexible }) => flexible)
    while (surplus > 0) {
      const widest = yielding.reduce((a, b) => (b.width > a.width ? b : a), yielding[0] ?? NONE)
      if (widest.width <= FLEXIBLE_MIN) break
      widest.width -= 1
      surplus -= 1
    }
    const line = (cellOf: (column: (typeof columns)[number]) => string) =>
      columns
        .map((column) => aligned(cut(cellOf(column), column.width), column))
        .join(GAP)
        .trimEnd()
    const { bold } = this.colours
    return [
      line(({ head }) => bold(head)),
      ...rows.map((_, i) => line(({ cells }) => cells[i] ?? '')),
    ].join('\n')
  }

  /** Text as wide as the terminal, each line behind `indent`. */
  paragraph(text: string, indent = ''): string {
    return wrap(text, this.width, indent)
  }

  /** `name  value` lines; what is too long for the terminal goes on below itself. */
  facts(pairs: readonly (readonly [name: string, value: string])[]): string {
    const width = Math.max(...pairs.map(([name]) => name.length))
    const room = this.width - width - GAP.length
    return pairs
      .map(([name, value]) => {
        const lines = wrap(value, room).replaceAll('\n', `\n${' '.repeat(width)}${GAP}`)
        return `${this.colours.dim(name.padEnd(width))}${GAP}${lines}`
      })
      .join('\n')
  }
}

const NONE = { width: 0 }

/** `10 GiB` is `10GiB`, so that it is one field; a sentence stays as it is. */
function oneField(cell: string): string {
  return cell.replace(/^([\d.]+) ([KMGTP]i?B|B|[mµn]?s|%)(\/s)?$/, '$1$2$3')
}

function aligned(text: string, { width, right }: { width: number; right: boolean }): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)))
  return right ? blanks + text : text + blanks
}

/** Both ends are kept: of names and IQNs the end tells most. */
function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  const kept = [...text]
  const front = Math.floor((width - 1) / 3)
  return `${kept.slice(0, front).join('')}…${kept.slice(front + 1 - width).join('')}`
}

/** Loaded when it is needed: most commands are faster without it. */
function yaml(value: object): string {
  const { stringify } = createRequire(import.meta.url)('yaml') as typeof import('yaml')
  return stringify(value).trimEnd()
}

function namesIn(value: object): string[] {
  const things = 'items' in value && Array.isArray(value.items) ? value.items : [value]
  return things.map((thing: { name?: unknown; id?: unknown }) => {
    const name = thing.name ?? thing.id
    if (typeof name === 'string') return name
    throw new CommandFailed(EXIT.usage, 'nothing of this has a name; choose another form with -o')
  })
}
