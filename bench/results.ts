// What was measured, as people read it.
import type { FigureName, Measured } from './rounds.ts'

const shown: readonly { readonly name: string; readonly figure: FigureName }[] = [
  { name: 'IOPS', figure: 'iops' },
  { name: 'p50 µs', figure: 'p50Us' },
  { name: 'p99 µs', figure: 'p99Us' },
  { name: 'CPU µs', figure: 'serverUs' },
]

/** Medians by case and system; `this` with its ratio to `beside`, of which the least and the most of the rounds are told. */
export function brief(measured: readonly Measured[]): string {
  const rows = [...new Set(measured.map((one) => one.case))].flatMap((name) => {
    const mine = measured.filter((one) => one.case === name)
    return [...new Set(mine.map(({ system }) => system))].toSorted().flatMap((system) => {
      const of = mine.filter((one) => one.system === system)
      const medians = shown.map(({ figure: of_ }) =>
        figure(median(of.map(({ figures }) => figures[of_] ?? Number.NaN))),
      )
      const peer = system.replace(/^this,/, 'beside,')
      if (peer === system || !mine.some((one) => one.system === peer)) {
        return [[name, system, ...medians]]
      }
      const ratios = shown.map(({ figure: of_ }) => spread(ratiosOf(mine, of_, system, peer)))
      return [
        [name, system, ...medians],
        [name, `${system} ÷ beside`, ...ratios],
      ]
    })
  })
  return aligned([['case', 'system', ...shown.map(({ name }) => name)], ...rows]).join('\n')
}

/** Within each round. */
function ratiosOf(
  measured: readonly Measured[],
  name: FigureName,
  system: string,
  peer: string,
): number[] {
  return measured
    .filter((one) => one.system === system)
    .map(({ round, figures }) => {
      const other = measured.find((one) => one.round === round && one.system === peer)
      return (figures[name] ?? Number.NaN) / (other?.figures[name] ?? Number.NaN)
    })
}

/** As the formatter has it: the first column to the left, figures to the right. */
function aligned([names = [], ...rows]: readonly (readonly string[])[]): string[] {
  const widths = names.map((name, i) =>
    Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const padded = (row: readonly string[]) =>
    line(
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))),
    )
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [padded(names), line(rule), ...rows.map(padded)]
}

function spread(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return `${figure(median(values))} (${figure(least)}–${figure(most)})`
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const [high = Number.NaN, low = Number.NaN] = [sorted[middle], sorted[middle - 1]]
  return sorted.length % 2 === 1 ? high : (low + high) / 2
}

/** Three significant digits, or whole. */
function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
