// `sh scripts/node.sh scripts/pictures.ts`: draws the pictures of docs/guide/moving.md from what the code itself says: how many
// requests wait (distribution/judge.ts), and a simulated group left alone and with Evenkeel.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { waiting } from '../src/distribution/judge.ts'
import type { Params } from '../src/simulate/scenario.ts'
import { simulate } from '../src/simulate/simulate.ts'

type Point = readonly [x: number, y: number]

const folder = fileURLToPath(new URL('../docs/pictures/', import.meta.url))
const LIGHT = ['#0b6e8a', '#bc4c00', '#6b4fbb']
const DARK = ['#4cc2e0', '#f0883e', '#b79cff']
const STYLE = `text{font:12px system-ui,sans-serif;fill:#22303a}.title{font-weight:600}.paper{fill:#fff}.grid{stroke:#d6dde2}.line{fill:none;stroke-width:2}
${LIGHT.map((c, i) => `.s${i}{stroke:${c}}.f${i}{fill:${c}}`).join('')}
@media(prefers-color-scheme:dark){text{fill:#dbe4ea}.paper{fill:#141b20}.grid{stroke:#2d3941}${DARK.map((c, i) => `.s${i}{stroke:${c}}.f${i}{fill:${c}}`).join('')}}`

function waitingPicture(): string {
  const frame = { left: 52, top: 44, width: 460, height: 240, most: [1, 10] as const }
  const curve = Array.from({ length: 91 }, (_, i): Point => [i / 100, waiting(i / 100)])
  const move = (from: number, to: number, at: number) => {
    const [a, b] = [place(frame, [from, waiting(from)]), place(frame, [to, waiting(to)])]
    const difference = Math.abs(waiting(from) - waiting(to)).toFixed(1)
    const words =
      waiting(to) < waiting(from) ? `${difference} fewer wait` : `${difference} more wait`
    const side =
      waiting(to) < waiting(from)
        ? [b[0] - 10, (a[1] + b[1]) / 2, 'end']
        : [b[0] - 4, a[1] - 26, 'end']
    return `<circle class="f${at}" cx="${a[0]}" cy="${a[1]}" r="4" opacity=".45"/><circle class="f${at}" cx="${b[0]}" cy="${b[1]}" r="5"/>
<path class="line s${at}" stroke-dasharray="4 3" d="M${a[0]} ${a[1]}L${b[0]} ${b[1]}"/><text x="${side[0]}" y="${side[1]}" text-anchor="${side[2]}">${words}</text>`
  }
  const body = [
    axes(frame, [0, 0.25, 0.5, 0.75, 1], [0, 2, 4, 6, 8, 10]),
    `<path class="line s0" d="${path(frame, curve)}"/>`,
    move(0.85, 0.65, 1),
    move(0.35, 0.55, 2),
    `<text x="${frame.left + frame.width / 2}" y="320" text-anchor="middle">utilisation of a member</text>`,
  ]
  return svg(540, 334, 'Requests that wait at a member', body)
}

/** Nine clients of unequal demand that come, stay for some minutes and go, six of them at one member. */
const EVENING: Params = {
  N: 3,
  horizon: 900,
  delay: 1,
  locality: 'uniform',
  noise: 0.12,
  noiseTau: 20,
  pause: 0.3,
  qd: 4,
  explicit: [
    { q: 0.13, at: 0 },
    { q: 0.12, at: 0 },
    { q: 0.1, at: 0, from: 120 },
    { q: 0.1, at: 0, from: 240 },
    { q: 0.06, at: 0 },
    { q: 0.05, at: 0 },
    { q: 0.08, at: 1 },
    { q: 0.07, at: 2 },
    { q: 0.08, at: 2, from: 420 },
  ],
}
const MEAN_SECONDS = 10

function eveningPicture(): string {
  const panels = (['none', 'sgr'] as const).map((policy, i) => {
    const seen: Point[][] = [[], [], []]
    const run = simulate(EVENING, {
      seed: 7,
      policy,
      watch: (t, loads) => {
        loads.forEach((load, member) => {
          seen[member]?.push([t, load])
        })
      },
    })
    const frame = { left: 46 + i * 360, top: 66, width: 310, height: 190, most: [900, 1] as const }
    return [
      `<text x="${frame.left}" y="54">${policy === 'none' ? 'left alone' : `with Evenkeel: ${run.log.length} moves`}</text>`,
      axes(frame, [0, 300, 600, 900], [0, 0.25, 0.5, 0.75, 1]),
      ...seen.map(
        (points, member) => `<path class="line s${member}" d="${path(frame, smooth(points))}"/>`,
      ),
      ...run.log.map(({ t, to }) => {
        const [x] = place(frame, [t, 0])
        return `<path class="s${to}" d="M${x} ${frame.top + frame.height}v-8"/>`
      }),
      `<text x="${frame.left + frame.width / 2}" y="292" text-anchor="middle">seconds</text>`,
    ].join('\n')
  })
  const key = ['m1', 'm2', 'm3'].map(
    (name, i) =>
      `<circle class="f${i}" cx="${500 + i * 60}" cy="24" r="5"/><text x="${510 + i * 60}" y="28">${name}</text>`,
  )
  return svg(730, 304, 'Utilisation of three members', [...key, ...panels])
}

function smooth(points: readonly Point[]): Point[] {
  return points.flatMap(([t], i) => {
    if (i % 3 !== 0) return []
    const last = points.slice(Math.max(0, i - MEAN_SECONDS + 1), i + 1)
    return [[t, last.reduce((sum, [, y]) => sum + y, 0) / last.length] as const]
  })
}

interface Frame {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  readonly most: readonly [x: number, y: number]
}

function place({ left, top, width, height, most }: Frame, [x, y]: Point): Point {
  const across = left + (width * x) / most[0]
  return [
    Math.round(across * 10) / 10,
    Math.round((top + height - (height * y) / most[1]) * 10) / 10,
  ]
}

function path(frame: Frame, points: readonly Point[]): string {
  return `M${points.map((point) => place(frame, point).join(' ')).join('L')}`
}

function axes(frame: Frame, xs: readonly number[], ys: readonly number[]): string {
  const { left, top, width, height, most } = frame
  const shown = (value: number, end: number) => (end === 1 ? `${value * 100} %` : String(value))
  return [
    ...ys.map((y) => {
      const [, at] = place(frame, [0, y])
      return `<path class="grid" d="M${left} ${at}h${width}"/><text x="${left - 6}" y="${at + 4}" text-anchor="end">${shown(y, most[1])}</text>`
    }),
    ...xs.map(
      (x) =>
        `<text x="${place(frame, [x, 0])[0]}" y="${top + height + 18}" text-anchor="middle">${shown(x, most[0])}</text>`,
    ),
  ].join('\n')
}

function svg(width: number, height: number, title: string, body: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${title}</title>
<style>${STYLE}</style>
<rect class="paper" width="${width}" height="${height}" rx="6"/>
<text class="title" x="16" y="26">${title}</text>
${body.join('\n')}
</svg>
`
}

await writeFile(join(folder, 'waiting.svg'), waitingPicture())
await writeFile(join(folder, 'evening.svg'), eveningPicture())
