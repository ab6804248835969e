// A plot of one number as SVG: a row for each case, a dot for each series; light or dark as the reader's screen is.

export interface DotPlot {
  readonly title: string
  /** The right end of the axis, which begins at 0; what is beyond is drawn at the edge. */
  readonly most: number
  readonly rows: readonly string[]
  /** `values` by row; null: none. */
  readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[]
}

const LABELS = 110
const WIDTH = 520
const ROW = 22
const HEAD = 64
const MARGIN = 16
const TICKS = 4
const LIGHT = ['#0969da', '#bc4c00', '#8250df', '#1a7f37', '#9a6700']
const DARK = ['#58a6ff', '#f0883e', '#bc8cff', '#3fb950', '#d29922']

const colours = (list: readonly string[]) =>
  list.map((colour, i) => `.s${i} { fill: ${colour} }`).join(' ')

const STYLE = `text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 }
.paper { fill: #ffffff } .grid { stroke: #d1d9e0 } ${colours(LIGHT)}
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .paper { fill: #0d1117 } .grid { stroke: #30363d } ${colours(DARK)}
}`

export function dotPlot({ title, most, rows, series }: DotPlot): string {
  const height = HEAD + rows.length * ROW + MARGIN + 18
  const x = (value: number) => LABELS + (WIDTH * Math.min(most, Math.max(0, value))) / most
  const y = (row: number) => HEAD + (row + 0.5) * ROW
  const parts = [
    `<text class="title" x="${MARGIN}" y="24">${title}</text>`,
    ...series.map(({ name }, i) => {
      const at = LABELS + i * 96
      return `<circle class="s${i}" cx="${at}" cy="42" r="5"/><text x="${at + 10}" y="46">${name}</text>`
    }),
    ...Array.from({ length: TICKS + 1 }, (_, i) => {
      const value = (most * i) / TICKS
      const bottom = height - MARGIN - 18
      return `<line class="grid" x1="${x(value)}" x2="${x(value)}" y1="${HEAD}" y2="${bottom}"/><text x="${x(value)}" y="${bottom + 16}" text-anchor="middle">${value}</text>`
    }),
    ...rows.flatMap((name, row) => [
      `<text x="${LABELS - 12}" y="${y(row) + 4}" text-anchor="end">${name}</text>`,
      ...series.flatMap(({ values }, i) => {
        const value = values[row] ?? null
        return value === null
          ? []
          : [`<circle class="s${i}" cx="${x(value).toFixed(1)}" cy="${y(row)}" r="5"/>`]
      }),
    ]),
  ]
  const width = LABELS + WIDTH + 2 * MARGIN
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title>${title}</title>
<style>${STYLE}</style>
<rect class="paper" width="${width}" height="${height}"/>
${parts.join('\n')}
</svg>
`
}
