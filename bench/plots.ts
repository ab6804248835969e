// Plots of ratios as SVG: small multiples side by side, one row a case; a dot is the median of the rounds, and the line
// through it goes from the least to the most. Logarithmic, so that half and double lie as far from 1; light or dark as the
// reader's screen is.
import type { Spread } from './figures.ts'

export interface Mark {
  readonly row: string
  readonly series: string
  readonly spread: Spread
}

export interface Panel {
  readonly title: string
  readonly isMoreBetter: boolean
  readonly marks: readonly Mark[]
}

const LABELS_WIDTH = 274
const PANEL_WIDTH = 160
const GAP = 40
const ROW_HEIGHT = 26
const HEAD_HEIGHT = 84
const FOOT_HEIGHT = 34
const MARGIN = 16
/** Apart from the row's middle, for one series and the next. */
const SERIES_APART = 9
const DOT = 3.5
/** In powers of two; what goes beyond is drawn to the edge, with an arrow. */
const EXPONENT_MAX = 4

/** Colours by class, for light and for dark paper. */
const COLOURS = {
  light: { paper: '#ffffff', band: '#f4f6f8', ink: '#1f2328', faint: '#59636e', grid: '#d1d9e0' },
  dark: { paper: '#0d1117', band: '#171d25', ink: '#e6edf3', faint: '#9198a1', grid: '#30363d' },
}
const SERIES = { light: ['#0969da', '#bc4c00'], dark: ['#58a6ff', '#f0883e'] }

function rules(mode: 'light' | 'dark'): string {
  const { paper, band, ink, faint, grid } = COLOURS[mode]
  return [
    `text { fill: ${ink} } text.faint { fill: ${faint} }`,
    `.paper { fill: ${paper} } .band { fill: ${band} }`,
    `.grid { stroke: ${grid} } .one { stroke: ${faint} }`,
    ...SERIES[mode].map((colour, i) => `.s${i} { fill: ${colour}; stroke: ${colour} }`),
  ].join('\n')
}

const STYLE = `
text { font: 12px system-ui, sans-serif }
text.title { font-weight: 600; font-size: 14px }
text.head { font-weight: 600 }
text.faint { font-size: 11px }
.one { stroke-width: 1.5 }
.line { stroke-width: 2; stroke-linecap: round }
${rules('light')}
@media (prefers-color-scheme: dark) {
${rules('dark')}
}
`

/** At most two series. */
export function ratioPlot(title: string, panels: readonly Panel[]): string {
  const marks = panels.flatMap((panel) => panel.marks)
  const rows = [...new Set(marks.map(({ row }) => row))]
  const series = [...new Set(marks.map((mark) => mark.series))]
  const bottom = HEAD_HEIGHT + rows.length * ROW_HEIGHT
  const width = MARGIN + LABELS_WIDTH + panels.length * (PANEL_WIDTH + GAP) - GAP + MARGIN
  const height = bottom + FOOT_HEIGHT
  const y = (row: string) => HEAD_HEIGHT + (rows.indexOf(row) + 0.5) * ROW_HEIGHT
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    ...rows
      .filter((_, i) => i % 2 === 0)
      .map(
        (row) =>
          `<rect class="band" y="${y(row) - ROW_HEIGHT / 2}" width="${width}" height="${ROW_HEIGHT}"/>`,
      ),
    text(MARGIN, 26, title, 'title'),
    ...series.flatMap((name, i) => legend(MARGIN + i * 100, 48, name, i)),
    ...rows.map((row) => text(MARGIN, y(row) + 4, row)),
  ]
  for (const [i, panel] of panels.entries()) {
    const left = MARGIN + LABELS_WIDTH + i * (PANEL_WIDTH + GAP)
    parts.push(...drawn(panel, { left, bottom, y, series }))
  }
  return `${[...parts, '</svg>'].join('\n')}\n`
}

interface Frame {
  readonly left: number
  readonly bottom: number
  readonly y: (row: string) => number
  readonly series: readonly string[]
}

function drawn(
  { title, isMoreBetter, marks }: Panel,
  { left, bottom, y, series }: Frame,
): string[] {
  const [from, to] = exponents(marks)
  const right = left + PANEL_WIDTH
  const x = (ratio: number) => left + ((Math.log2(ratio) - from) / (to - from)) * PANEL_WIDTH
  const held = (ratio: number) => Math.min(Math.max(x(ratio), left), right)
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => from + i)
  const better = isMoreBetter ? 'better →' : '← better'
  const parts = [
    text(left, HEAD_HEIGHT - 24, title, 'head'),
    text(
      isMoreBetter ? right : left,
      HEAD_HEIGHT - 8,
      better,
      'faint',
      isMoreBetter ? 'end' : 'start',
    ),
    ...ticks.flatMap((exponent) => {
      const at = round(x(2 ** exponent))
      return [
        `<line class="${exponent === 0 ? 'one' : 'grid'}" x1="${at}" x2="${at}" y1="${HEAD_HEIGHT}" y2="${bottom}"/>`,
        text(at, bottom + 18, tick(exponent), 'faint', 'middle'),
      ]
    }),
  ]
  for (const { row, series: name, spread } of marks) {
    const i = series.indexOf(name)
    const at = y(row) + (i - (series.length - 1) / 2) * SERIES_APART
    const [least, most] = [held(spread.least), held(spread.most)]
    parts.push(
      `<line class="s${i} line" x1="${round(least)}" x2="${round(most)}" y1="${at}" y2="${at}"/>`,
      ...(x(spread.least) < left ? [arrow(left, at, -1, i)] : []),
      ...(x(spread.most) > right ? [arrow(right, at, 1, i)] : []),
      `<circle class="s${i}" cx="${round(held(spread.median))}" cy="${at}" r="${DOT}"/>`,
    )
  }
  return parts
}

/** From a power of two below all to one above all, with 1 between them. */
function exponents(marks: readonly Mark[]): [number, number] {
  const all = marks
    .flatMap(({ spread }) => [spread.least, spread.most])
    .map((one) => Math.log2(one))
  const from = Math.max(Math.min(-1, Math.floor(Math.min(...all))), -EXPONENT_MAX)
  const to = Math.min(Math.max(1, Math.ceil(Math.max(...all))), EXPONENT_MAX)
  return [from, to]
}

function tick(exponent: number): string {
  if (exponent >= 0) return String(2 ** exponent)
  return { '-1': '½', '-2': '¼', '-3': '⅛' }[String(exponent)] ?? `1/${2 ** -exponent}`
}

function arrow(x: number, y: number, towards: 1 | -1, series: number): string {
  const tip = x + towards * 6
  return `<path class="s${series}" d="M${tip} ${y} L${x} ${y - 3} L${x} ${y + 3} Z"/>`
}

function legend(x: number, y: number, name: string, series: number): string[] {
  return [
    `<line class="s${series} line" x1="${x}" x2="${x + 18}" y1="${y - 4}" y2="${y - 4}"/>`,
    `<circle class="s${series}" cx="${x + 9}" cy="${y - 4}" r="${DOT}"/>`,
    text(x + 24, y, name),
  ]
}

function text(x: number, y: number, words: string, style = '', anchor = 'start'): string {
  const styled = style === '' ? '' : ` class="${style}"`
  const anchored = anchor === 'start' ? '' : ` text-anchor="${anchor}"`
  return `<text x="${round(x)}" y="${round(y)}"${styled}${anchored}>${escaped(words)}</text>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
