// The demo as a user runs it, on whatever machine and beside whatever else: it succeeds only if its one move was made, the right one,
// and nothing was lost. Its figures are printed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { Outcome } from '../../src/cli/demo/outcome.ts'
import { launcher } from './running-group.ts'

/** About a minute; the demo itself gives up after some three. */
const TIMEOUT_MS = 300_000
const GOES_ON = { timeout: 240_000, interval: 200 }

type Shown = Outcome & { readonly schema: string }

async function run(...args: string[]) {
  const child = spawn(launcher, ['demo', '-o', 'json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, said] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const closed = once(child, 'close')
  if (args.includes('--open')) {
    await Promise.race([expect.poll(() => said, GOES_ON).toContain('The group goes on'), closed])
    await goesOn(said)
    child.kill('SIGTERM')
  }
  const [code] = await closed
  expect(out, said).toContain('evenkeel/v1')
  return { code, said, shown: JSON.parse(out) as Shown }
}

/** The clients log in again, and the group can be looked at, until it is told to stop. */
async function goesOn(said: string): Promise<void> {
  const api = /in a browser: (http:\S+)/.exec(said)?.[1]
  const sessions = async () => {
    const response = await fetch(`${api}/api/v1/sessions`)
    return ((await response.json()) as { items: object[] }).items.length
  }
  await expect.poll(sessions).toBe(5)
}

test.each([
  ['three clients, none and two', ['--open'], [2, 1, 2]],
  ['clients of unequal rates', ['--unequal'], [1, 3, 1]],
] as const)(
  '%s: one session moves from m1 to m2, and every byte is right',
  async (_, args, after) => {
    const { code, said, shown } = await run(...args)
    // A demo that failed has said why.
    expect(code, said).toBe(0)
    expect(shown.wrong, said).toEqual([])
    const [move] = shown.moves
    console.log(
      `demo ${args.join(' ')}: ${shown.levelBefore.toFixed(2)} → ${shown.level.toFixed(2)} × the mean, drain ${move?.drainMs} ms, ` +
        `pause ${move?.pauseMs} ms, ${shown.resent} sent again, ${shown.verifiedBytes} bytes verified\n${move?.reason}`,
    )
    expect(shown.moves.map(({ from, to, outcome }) => [from, to, outcome])).toEqual([
      ['m1', 'm2', 'returned'],
    ])
    expect(shown.sessions).toEqual(after)
    expect(shown.levelBefore).toBeGreaterThan(1.35)
    expect(shown.level).toBeLessThanOrEqual(1.35)
    expect([shown.errors, shown.miscompares, shown.resent]).toEqual([0, 0, 0])
    expect(shown.verifiedBytes).toBeGreaterThan(0)
  },
  TIMEOUT_MS,
)
