// Where a command prints: data to standard output, everything else to standard error; tables for people, or with `-o
// json` exactly one object.
import Table from 'cli-table3'
import pc from 'picocolors'
import { SCHEMA } from '../api/errors.ts'

export interface Outlet {
  write(text: string): void
  readonly isTTY: boolean
}

export type OutputForm = 'table' | 'json'

export class Screen {
  readonly #out: Outlet
  readonly #err: Outlet
  readonly form: OutputForm
  readonly colours: ReturnType<typeof pc.createColors>

  /** `colour` undefined: if standard output is a terminal; NO_COLOR, handed in as false, wins. */
  constructor(out: Outlet, err: Outlet, form: OutputForm, colour: boolean | undefined) {
    this.#out = out
    this.#err = err
    this.form = form
    this.colours = pc.createColors(form === 'table' && (colour ?? out.isTTY))
  }

  get isTerminal(): boolean {
    return this.#out.isTTY
  }

  /** The answer: as an object, or as what `people` makes of it. */
  show<T extends object>(value: T, people: (value: T) => string): void {
    if (this.form === 'json') this.json(value)
    else this.#out.write(`${people(value)}\n`)
  }

  json(value: object): void {
    this.#out.write(`${JSON.stringify({ schema: SCHEMA, ...value })}\n`)
  }

  print(text: string): void {
    this.#out.write(text)
  }

  note(text: string): void {
    this.#err.write(`${text}\n`)
  }

  /** Columns without lines between them: fit to be read, and cut with awk. A column whose name ends in > is aligned right. */
  table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
    const none = {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: '  ',
    }
    const table = new Table({
      head: heads.map((head) => this.colours.bold(head.replace('>', ''))),
      colAligns: heads.map((head) => (head.endsWith('>') ? 'right' : 'left')),
      chars: none,
      style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    })
    for (const row of rows) table.push([...row])
    return table.toString().replaceAll(/ +$/gm, '')
  }

  /** `name  value` lines. */
  facts(pairs: readonly (readonly [name: string, value: string])[]): string {
    const width = Math.max(...pairs.map(([name]) => name.length))
    return pairs
      .map(([name, value]) => `${this.colours.dim(name.padEnd(width))}  ${value}`)
      .join('\n')
  }
}
