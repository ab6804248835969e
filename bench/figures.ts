// Figures of rounds, and their ratios: within each round, so that what the machine did beside hits both sides.
import type { FigureName, Measured } from './rounds.ts'

export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const [high = Number.NaN, low = Number.NaN] = [sorted[middle], sorted[middle - 1]]
  return sorted.length % 2 === 1 ? high : (low + high) / 2
}

export class Results {
  readonly measured: readonly Measured[]

  constructor(measured: readonly Measured[]) {
    this.measured = measured
  }

  get cases(): string[] {
    return [...new Set(this.measured.map((one) => one.case))]
  }

  systems(name: string): string[] {
    const mine = this.measured.filter((one) => one.case === name)
    return [...new Set(mine.map(({ system }) => system))]
  }

  /** Null if it was not measured. */
  figure(name: string, system: string, figure: FigureName): Spread | null {
    const values = this.#of(name, system).flatMap(({ figures }) => figures[figure] ?? [])
    return values.length === 0 ? null : spreadOf(values)
  }

  /** Of `system` to `peer`, or null. */
  ratio(name: string, figure: FigureName, system: string, peer: string): Spread | null {
    const peers = this.#of(name, peer)
    const values = this.#of(name, system).flatMap(({ round, figures }) => {
      const mine = figures[figure]
      const other = peers.find((one) => one.round === round)?.figures[figure]
      return mine === undefined || other === undefined ? [] : [mine / other]
    })
    return values.length === 0 ? null : spreadOf(values)
  }

  #of(name: string, system: string): Measured[] {
    return this.measured.filter((one) => one.case === name && one.system === system)
  }
}

/** Three significant digits, or whole. */
export function shortFigure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

export function withSpread(spread: Spread | null, short = shortFigure): string {
  if (spread === null) return ''
  const { median: middle, least, most } = spread
  return `${short(middle)} (${short(least)}–${short(most)})`
}

export const shortRatio = (value: number) => (value >= 10 ? value.toFixed(0) : value.toFixed(2))

/** A table as the formatter has it: so many columns to the left, figures to the right. */
export function table([names = [], ...rows]: readonly (readonly string[])[], left = 1): string[] {
  const widths = names.map((name, i) =>
    Math.max(3, name.length, ...rows.map((row) => row[i]?.length ?? 0)),
  )
  const padded = (row: readonly string[]) => {
    const cells = widths.map((width, i) =>
      i < left ? (row[i] ?? '').padEnd(width) : (row[i] ?? '').padStart(width),
    )
    return `| ${cells.join(' | ')} |`
  }
  const rule = widths.map((width, i) =>
    i < left ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  )
  return [padded(names), `| ${rule.join(' | ')} |`, ...rows.map(padded)]
}
