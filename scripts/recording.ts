// `sh scripts/node.sh scripts/recording.ts`: records `evenkeel demo` into docs/pictures/demo.cast (asciinema's format, version 2), and
// draws docs/pictures/demo.svg from that, in which the lines come as they came, some times faster. `--draw` draws it anew without
// recording.
import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

type CastEvent = readonly [seconds: number, kind: 'o', text: string]

const root = fileURLToPath(new URL('..', import.meta.url))
const cast = join(root, 'docs', 'pictures', 'demo.cast')
const drawing = join(root, 'docs', 'pictures', 'demo.svg')
const WIDTH = 100
const FASTER = 6
const REST_SECONDS = 6
const LINE_HEIGHT = 17
const CHARACTER = 7.82
const EDGE = 16

if (!process.argv.includes('--draw')) await writeFile(cast, await recorded())
await writeFile(drawing, drawn(await readFile(cast, 'utf8')))

async function recorded(): Promise<string> {
  const begunMs = performance.now()
  const env = { ...process.env, COLUMNS: String(WIDTH), NO_COLOR: '1' }
  const child = spawn(join(root, 'bin', 'evenkeel'), ['demo'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const events: CastEvent[] = [[0, 'o', '$ ./bin/evenkeel demo\r\n']]
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      const seconds = Math.round(performance.now() - begunMs) / 1_000
      events.push([seconds, 'o', text.replaceAll('\n', '\r\n')])
    })
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`the demo ended with ${code}`)
  const lines = events.reduce((sum, [, , text]) => sum + text.split('\n').length - 1, 0)
  const header = { version: 2, width: WIDTH, height: lines, title: 'evenkeel demo' }
  return `${[header, ...events].map((line) => JSON.stringify(line)).join('\n')}\n`
}

function drawn(text: string): string {
  const [, ...events] = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line)) as [object, ...CastEvent[]]
  const lines = events.flatMap(([seconds, , more]) =>
    more
      .replace(/\r\n$/, '')
      .split('\r\n')
      .flatMap((line) => broken(line).map((part) => ({ seconds, line: part }))),
  )
  const last = lines.at(-1)?.seconds ?? 0
  const whole = last / FASTER + REST_SECONDS
  const height = lines.length * LINE_HEIGHT + 2 * EDGE
  const width = Math.ceil(Math.max(...lines.map(({ line }) => line.length)) * CHARACTER + 2 * EDGE)
  const texts = lines.map(({ seconds, line }, i) => {
    const from = ((seconds / FASTER / whole) * 100).toFixed(2)
    const y = EDGE + (i + 1) * LINE_HEIGHT - 4
    const shown = `<animate attributeName="opacity" dur="${whole.toFixed(1)}s" repeatCount="indefinite" calcMode="discrete" keyTimes="0;${(Number(from) / 100).toFixed(4)}" values="0;1"/>`
    return `<text x="${EDGE}" y="${y}">${escaped(line)}${seconds === 0 ? '' : shown}</text>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" xml:space="preserve" role="img" aria-label="evenkeel demo: what it prints, line by line">`,
    '<style>.b{fill:#f7f7f4}text{font:13px ui-monospace,monospace;white-space:pre;fill:#22303a}@media(prefers-color-scheme:dark){.b{fill:#141b20}text{fill:#dbe4ea}}</style>',
    `<rect class="b" width="${width}" height="${height}" rx="8"/>`,
    ...texts,
    '</svg>',
    '',
  ].join('\n')
}

/** At blanks, as a terminal of WIDTH columns that breaks lines at words. */
function broken(line: string): string[] {
  if (line.length <= WIDTH) return [line]
  const at = line.lastIndexOf(' ', WIDTH)
  return [line.slice(0, at), ...broken(`  ${line.slice(at + 1)}`)]
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
