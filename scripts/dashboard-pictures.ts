// `sh scripts/node.sh scripts/dashboard-pictures.ts`: draws docs/pictures/dashboard-light.png and -dark.png: the dashboard as
// the balancer moves a session. With a folder, pictures to be looked at go there instead, of a group with two copies: at three
// widths and in both themes a move by hand, a session, a volume, and a member that does not answer.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { Caller } from '../src/api/caller.ts'
import { Worker } from '../src/cli/demo/worker.ts'
import { SystemClock } from '../src/io/clock.ts'
import { SystemNet } from '../src/io/net.ts'
import { type RunningGroup, startGroupAnywhere, stopGroup } from '../test/e2e/running-group.ts'
import { type Looks, openPage, startBrowser } from '../test/kit/browser.ts'

/** By member: the units of load of each of its clients. */
const CLIENTS = [[3, 3, 2, 2], [1], [1]] as const
/** Commands a second. */
const UNIT = 300
/** The group learns what a command costs on this machine within half a minute; looks do not need that. */
const [LEARNT_MS, SETTLE_MS] = [35_000, 8_000]
const MOVE_WITHIN_MS = 120_000
const README = { width: 1100, height: 700 }
/** As in `evenkeel demo`: what takes several minutes otherwise is seen in one. */
const POLICY = {
  leastRegret: 1,
  horizonSeconds: 20,
  intervalSeconds: 2,
  minAgeSeconds: 5,
  sigmas: 0.5,
  pauseStableSeconds: 0,
} as const
/** Of the square of a unit's cores: the price of a move that pays for the heavy clients and not for the light ones. */
const KAPPA = 18

const to = process.argv[2]
const folder = await mkdtemp(join(tmpdir(), 'evenkeel-pictures-'))
const options = ['--copies', to === undefined ? '1' : '2', '--placement', 'off', '--balance', 'off']
const group = await startGroupAnywhere(join(folder, 'data'), ...options)
group.process.stdout?.resume()
const browser = await startBrowser()
const caller = new Caller(group.ready.api)
const workers = await connect(group)
try {
  await sleep(to === undefined ? LEARNT_MS : SETTLE_MS)
  if (to === undefined) await drawReadme(browser)
  else await drawLooks(browser, to)
} finally {
  await Promise.all(workers.map((worker) => worker.stop().catch(() => {})))
  await browser.close()
  await stopGroup(group)
  await rm(folder, { recursive: true, force: true })
}

async function connect({ ready }: RunningGroup): Promise<readonly Worker[]> {
  const [volume] = (await caller.volumes()).items
  if (volume === undefined) throw new Error('there is no volume')
  const places = CLIENTS.flatMap((units, member) => units.map((unit) => ({ unit, member })))
  return Promise.all(
    places.map(async ({ unit, member }, at) => {
      const port = Number(ready.members[member]?.portal.split(':').at(-1))
      const worker = await Worker.start({
        ...{ net: new SystemNet(), clock: new SystemClock(), number: at + 1 },
        portal: { kind: 'tcp', host: '127.0.0.1', port },
        targetName: volume.iqn,
        volumeBytes: volume.bytes,
      })
      worker.rate = unit * UNIT
      return worker
    }),
  )
}

/** Cores that a client of one unit costs, as the group sees it. */
async function unitCores(): Promise<number> {
  const { sessions } = await caller.top()
  const units = CLIENTS.flat().reduce<number>((sum, unit) => sum + unit, 0)
  return sessions.reduce((sum, { load }) => sum + (load ?? 0), 0) / units
}

async function drawReadme(browser: Browser): Promise<void> {
  const themes = ['light', 'dark'] as const
  const pages = await Promise.all(
    themes.map(async (theme) => {
      const { page } = await openPage(browser, group.ready.api, { width: README.width, theme })
      await page.setViewportSize(README)
      return { page, theme }
    }),
  )
  const cores = await unitCores()
  const kappa = Number((KAPPA * cores ** 2).toPrecision(2))
  // The page says that balance is on before a session moves: as long as a move costs too much, none does.
  await caller.setBalance({ mode: 'on', policy: { ...POLICY, undershoot: 0.3 * cores } })
  await Promise.all(pages.map(({ page }) => page.getByText('Sessions move by load').waitFor()))
  await caller.setBalance({ policy: { kappa } })
  await Promise.all(
    pages.map(async ({ page, theme }) => {
      await onItsWay(page)
      const path = fileURLToPath(
        new URL(`../docs/pictures/dashboard-${theme}.png`, import.meta.url),
      )
      await page.screenshot({ path })
    }),
  )
  const [move] = (await caller.moves(1)).items
  if (move?.by !== 'balance') throw new Error(`it was moved by ${move?.by}`)
  console.log(`${move.initiator} from ${move.from} to ${move.to}: ${move.reason}`)
}

/** Drawn between its members, as it is for a second. */
async function onItsWay(page: Page): Promise<void> {
  await page.locator('.strand.way').first().waitFor({ timeout: MOVE_WITHIN_MS })
  await sleep(350)
}

async function drawLooks(browser: Browser, into: string): Promise<void> {
  await mkdir(into, { recursive: true })
  const looks = [360, 1280, 1920].flatMap((width) =>
    (['light', 'dark'] as const).map((theme): Looks => ({ width, theme })),
  )
  const pages: { readonly page: Page; readonly name: string }[] = []
  for (const look of looks) {
    const { page } = await openPage(browser, group.ready.api, look)
    const name = `${look.width}-${look.theme}`
    const draw = (what: string, fullPage = false) =>
      page.screenshot({ path: join(into, `${name}-${what}.png`), fullPage })
    const session = (await caller.top()).sessions[0]
    if (session === undefined) throw new Error('nobody is connected')
    const there = session.member === 'm1' ? 'm3' : 'm1'
    const moving = caller.moveSession(session.id, { to: there, wait: true })
    await onItsWay(page)
    await draw('moving')
    await moving
    await page.locator('.strand.way, .strand.return').first().waitFor({ state: 'detached' })
    await draw('whole', true)
    await page.goto(`${group.ready.api}/#volume/vol1`)
    await page.getByText(/copies of each slice/).waitFor()
    await draw('volume')
    await page.goto(`${group.ready.api}/#session/${session.id}`)
    await page.getByRole('heading', { name: 'Its moves' }).waitFor()
    await draw('session')
    await page.goto(`${group.ready.api}/#`)
    pages.push({ page, name })
  }
  const pid = group.ready.members.find(({ id }) => id === 'm2')?.pid ?? 0
  process.kill(pid, 'SIGSTOP')
  try {
    for (const { page, name } of pages) {
      await page.getByText('MEMBER_DOWN').first().waitFor()
      await page.screenshot({ path: join(into, `${name}-silent.png`) })
      await page.goto(`${group.ready.api}/#volume/vol1`)
      await page.getByText(/copies of each slice/).waitFor()
      await page.screenshot({ path: join(into, `${name}-silent-volume.png`) })
    }
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}
