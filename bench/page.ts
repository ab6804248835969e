// What does the dashboard cost? Its weight as it is sent; how soon it is drawn in Debian's Chromium, by what the browser itself
// tells; and the CPU of the members of a group with idle sessions, while a page is open and while none is, by turns.
//
//   sh scripts/node.sh bench/page.ts [sessions] [rounds]
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Browser } from 'playwright-core'
import { Caller } from '../src/api/caller.ts'
import { Prng } from '../src/base/prng.ts'
import { Initiator } from '../src/initiator/initiator.ts'
import { SystemClock } from '../src/io/clock.ts'
import { SystemNet } from '../src/io/net.ts'
import { startGroupAnywhere, stopGroup } from '../test/e2e/running-group.ts'
import { openPage, startBrowser } from '../test/kit/browser.ts'
import { cpuUs } from './processes.ts'

const sessions = Number(process.argv[2] ?? 1_000)
const rounds = Number(process.argv[3] ?? 4)
const SETTLE_MS = 20_000
const ROUND_MS = 15_000
const LOADS = 7
const VOLUME_BYTES = 2 ** 30

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function tellWeight(): Promise<void> {
  const built = fileURLToPath(new URL('../dashboard/built', import.meta.url))
  const entries = await readdir(built, { recursive: true, withFileTypes: true })
  let bytes = 0
  for (const entry of entries)
    if (entry.isFile()) bytes += gzipSync(await readFile(join(entry.parentPath, entry.name))).length
  console.log(`weight: ${(bytes / 1_000).toFixed(1)} kB with gzip`)
}

/** The mark of the page, then the vessels of the members. */
async function tellFirstPicture(browser: Browser, url: string): Promise<void> {
  const found: { readonly painted: number; readonly drawn: number }[] = []
  for (let n = 0; n < LOADS; n += 1) {
    const { page } = await openPage(browser, url)
    await page.locator('.vessel').first().waitFor()
    found.push(
      await page.evaluate(() => ({
        painted: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN,
        drawn: performance.now(),
      })),
    )
    await page.close()
  }
  for (const what of ['painted', 'drawn'] as const) {
    const all = found.map((one) => one[what]).sort((a, b) => a - b)
    const at = (q: number) => (all[Math.floor(q * (all.length - 1))] ?? 0).toFixed(0)
    console.log(`${what}: median ${at(0.5)} ms, ${at(0)} to ${at(1)}, of ${LOADS} loads`)
  }
}

async function connect(portals: readonly string[], targetName: string): Promise<Initiator[]> {
  const initiators: Initiator[] = []
  const [clock, net] = [new SystemClock(), new SystemNet()]
  for (let n = 0; n < sessions; n += 1) {
    const port = Number(portals[n % portals.length]?.split(':').at(-1))
    const isid = `00023d${n.toString(16).padStart(6, '0')}`
    initiators.push(
      await Initiator.connect({
        ...{ net, clock, targetName, prng: new Prng(n + 1) },
        portal: { kind: 'tcp', host: '127.0.0.1', port },
        initiatorName: `iqn.2026-11.dev.evenkeel.bench:page${n}`,
        isid: { kind: 'stable', value: isid },
      }),
    )
  }
  return initiators
}

async function tellCpu(browser: Browser, url: string, pids: readonly number[]): Promise<void> {
  const shares: Record<'without' | 'with', number[]> = { without: [], with: [] }
  for (let round = 0; round < rounds; round += 1) {
    for (const how of ['without', 'with'] as const) {
      const opened = how === 'with' ? await openPage(browser, url) : null
      // Its first load is no part of what it costs to be open.
      await pause(2_000)
      const before = pids.map((pid) => cpuUs([pid]))
      await pause(ROUND_MS)
      const most = pids.map((pid, at) => cpuUs([pid]) - (before[at] ?? 0))
      shares[how].push((100 * (most[0] ?? 0)) / 1_000 / ROUND_MS)
      console.log(
        `${how} a page: ${most.map((us) => `${((100 * us) / 1_000 / ROUND_MS).toFixed(2)} %`).join(', ')} of a core by member`,
      )
      await opened?.page.close()
    }
  }
  const mean = (list: readonly number[]) => list.reduce((sum, one) => sum + one, 0) / list.length
  const more = mean(shares.with) - mean(shares.without)
  console.log(
    `the member that serves it: ${mean(shares.without).toFixed(2)} → ${mean(shares.with).toFixed(2)} %, ${more.toFixed(2)} % of a core more`,
  )
}

const folder = await mkdtemp(join(tmpdir(), 'bench-page-'))
await tellWeight()
const options = ['--copies', '1', '--placement', 'off', '--balance', 'off']
const group = await startGroupAnywhere(join(folder, 'data'), ...options)
group.process.stdout?.resume()
const browser = await startBrowser()
try {
  const { api, members } = group.ready
  await tellFirstPicture(browser, api)
  const request = { name: 'page', bytes: VOLUME_BYTES, blockBytes: 512, shared: true } as const
  const { iqn } = await new Caller(api).createVolume(request)
  const initiators = await connect(
    members.map(({ portal }) => portal),
    iqn,
  )
  await pause(SETTLE_MS)
  console.log(`${initiators.length} idle sessions`)
  const pids = members.map(({ pid }) => pid)
  await tellCpu(browser, api, pids)
  await Promise.all(initiators.map((initiator) => initiator.close().catch(() => {})))
} finally {
  console.log(`load average: ${loadavg().map((load) => load.toFixed(1))}`)
  await browser.close()
  await stopGroup(group)
  await rm(folder, { recursive: true, force: true })
}
