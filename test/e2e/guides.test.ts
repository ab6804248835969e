// Each command of the guides that is marked as checked is run, in the order of the pages, on a group of its own: only ports and
// folders differ. What is shown as its output is what it prints, but for numbers.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestGroup } from '../kit/group.ts'
import { checkout, launcher, run } from './running-group.ts'

interface Step {
  readonly command: string
  /** What the page shows that it prints; null: the page shows nothing. */
  readonly shown: string | null
}

/** A volume that one page makes is used by those behind it. */
const PAGES = ['start', 'moving', 'qemu', 'running', 'api']
const steps = await Promise.all(PAGES.map(stepsOf))

async function stepsOf(page: string): Promise<Step[]> {
  const text = await readFile(join(checkout, 'docs', 'guide', `${page}.md`), 'utf8')
  const checked = /^```sh checked\n([\s\S]*?)^```\n(?:\n```text shown\n([\s\S]*?)^```)?/gm
  return [...text.matchAll(checked)].flatMap(([, block = '', shown]) => {
    const commands = block.trim().split('\n')
    return commands.map((command, i) => ({
      command,
      shown: i === commands.length - 1 ? (shown ?? null) : null,
    }))
  })
}

let group: TestGroup
let folder: string
beforeAll(async () => {
  group = await TestGroup.start()
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-guides-'))
})
afterAll(async () => {
  await group.stop()
  await rm(folder, { recursive: true })
})

function asRunHere(command: string): string {
  return command
    .replaceAll(/127\.0\.0\.1:326(\d)/g, (_, n) => `127.0.0.1:${group.basePort + 1 + Number(n)}`)
    .replaceAll('./bin/evenkeel', launcher)
    .replaceAll(/\bDATA\b/g, group.dataFolder)
}

/** Its words; whatever differs from machine to machine and from minute to minute is a #. */
function words(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .map((line) =>
      line
        .replaceAll(/\d[\d.:]*( ?(B|[KMGT]iB)\b(\/s)?|ms|s|m|h)?/g, '#')
        .replaceAll(/\bo(n|ff), placement o(n|ff)\b/g, '#')
        .replaceAll(/\s+/g, ' '),
    )
}

describe.each(PAGES.map((page, i) => ({ page, commands: steps[i] ?? [] })))('$page', (it) => {
  test('has commands', () => expect(it.commands.length).toBeGreaterThan(1))

  test.each(it.commands)('$command', async ({ command, shown }) => {
    const env = { ...process.env, EVENKEEL_API: group.apiOf('m1') }
    const { stdout } = await run('sh', ['-c', asRunHere(command)], { cwd: folder, env })
    expect(stdout).not.toContain('verification failed')
    if (shown === null) return
    const lines = words(shown)
    // In their order; a line that is new is no mistake of the page.
    expect(words(stdout).filter((line) => lines.includes(line))).toEqual(lines)
  })
})
