// The dashboard in a real browser, beside a real group and a real initiator: a volume is created, a session is moved and seen
// to, it is pinned and its member drained, a member stops, the member that served the page stops. Then ten thousand sessions,
// which no group here has: an operator that says so stands behind the same API and the same page.
import { kill } from 'node:process'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { OperatorInMemory } from '../../src/api/operator-in-memory.fixture.ts'
import type { Top, Volume } from '../../src/api/schema.ts'
import { startApi } from '../../src/api/server.ts'
import { Worker } from '../../src/cli/demo/worker.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { SystemNet } from '../../src/io/net.ts'
import { openPage, startBrowser } from '../kit/browser.ts'
import { TestGroup } from '../kit/group.ts'

let browser: Browser
let group: TestGroup
const stopped = new Set<number>()

beforeAll(async () => {
  ;[browser, group] = await Promise.all([startBrowser(), TestGroup.start('--copies', '1')])
})
afterAll(async () => {
  wakeAll()
  await browser.close()
  await group.stop()
})

async function stopMember(member: string): Promise<number> {
  const pid = await group.pidOf(member)
  if (pid === null) throw new Error(`${member} is down`)
  kill(pid, 'SIGSTOP')
  stopped.add(pid)
  return pid
}

function wakeAll(): void {
  for (const pid of stopped) kill(pid, 'SIGCONT')
  stopped.clear()
}

async function connectWorker({ iqn, bytes }: Volume): Promise<Worker> {
  const worker = await Worker.start({
    ...{ net: new SystemNet(), clock: new SystemClock(), number: 1 },
    portal: { kind: 'tcp', host: '127.0.0.1', port: group.portOf('m1') },
    targetName: iqn,
    volumeBytes: bytes,
  })
  worker.rate = 40
  return worker
}

test('a person creates a volume, watches its session move, reads why, and sees a member stop', async () => {
  const { page, complaints } = await openPage(browser, group.apiOf('m1'))
  const headline = page.getByRole('heading', { level: 1 })
  const picture = page.getByRole('region', { name: 'The members of the group' })
  await headline.getByText('Nobody is connected').waitFor()

  await page.getByRole('link', { name: 'New volume' }).click()
  await page.getByLabel('Name').fill('watched')
  await page.getByLabel('Size', { exact: true }).fill('1')
  await page.getByRole('button', { name: 'Create' }).click()
  await page.getByRole('heading', { name: 'watched' }).waitFor()
  await page
    .getByText(/^m1 has \d+, m2 has \d+|dealt over the members/)
    .first()
    .waitFor()
  await page.getByRole('button', { name: 'Close' }).click()

  const { items } = (await group.call<{ items: Volume[] }>('volumes')).body
  const volume = items.find(({ name }) => name === 'watched')
  if (volume === undefined) throw new Error('it was not created')
  const worker = await connectWorker(volume)
  await page.getByRole('link', { name: /^client1 on m1: session \d+ of watched/ }).click()

  const panel = page.getByRole('dialog')
  await panel.getByText(/because its initiator logged in there/).waitFor()
  await panel.getByLabel('To').selectOption('m2')
  await panel.getByText(/m1 would go from|Too little is known/).waitFor()
  await panel.getByRole('button', { name: 'Move it to m2' }).click()
  await panel.getByText(/^It is on m2\. Its I\/O paused for/).waitFor()
  await panel.getByRole('button', { name: 'Close' }).click()
  const story = page.getByRole('region', { name: 'Moves' }).getByRole('article')
  await story.getByText('Moved by the operator.').waitFor()
  await story.getByText('I/O paused for').waitFor()
  await page.getByRole('link', { name: /^client1 on m2: session/ }).waitFor()

  await page.getByLabel('Look back').press('ArrowLeft')
  await headline.getByText(/^As it was at/).waitFor()
  await page.getByRole('button', { name: 'Back to now' }).click()

  // Seen as it happens: this one is not asked for on the page.
  const [session] = await group.sessions()
  const seen = headline.getByText(/^client1 moves from m2 to m3$/).waitFor()
  await group.move(session?.id ?? '', 'm3')
  await seen
  await headline.getByText(/^client1 is back, on m3$/).waitFor()

  await page.getByRole('link', { name: 'Balance off' }).click()
  await panel.getByText('What would move next, if balance were on').waitFor()
  await panel.getByLabel('Advise').check()
  await panel.getByRole('button', { name: 'Set for the whole group' }).click()
  await panel.getByText('Balance is advise, placement is off, for the whole group.').waitFor()
  await panel.getByRole('button', { name: 'Close' }).click()
  await page.getByRole('link', { name: 'Balance advise' }).waitFor()

  // It is pinned, so a drain of its member tells that it stays, and why; unpinned, it leaves.
  await page.getByRole('link', { name: /^client1 on m3: session/ }).click()
  await panel.getByText(/^Session \d+ would stay at m3 until it is unpinned\./).waitFor()
  await panel.getByRole('button', { name: 'Pin it to m3' }).click()
  await panel.getByRole('heading', { name: 'Pinned to m3' }).waitFor()
  await panel.getByRole('button', { name: 'Close' }).click()
  await picture.getByRole('link', { name: 'm3', exact: true }).click()
  await panel.getByText(/m3 would give its 1 session to the other members/).waitFor()
  await panel.getByRole('button', { name: 'Drain m3' }).click()
  await panel.getByRole('heading', { name: 'It is being drained' }).waitFor()
  await panel.getByText(/stays: It is pinned by the operator\. Unpin it/).waitFor()
  await panel.getByRole('listitem').getByRole('link', { name: 'client1' }).click()
  await panel.getByRole('button', { name: 'Unpin it' }).click()
  await panel.getByRole('button', { name: 'Close' }).click()
  const health = page.getByRole('region', { name: 'Health' })
  await health.getByRole('listitem').filter({ hasText: 'DRAINING' }).getByText('Do:').waitFor()
  await page.getByRole('link', { name: /^client1 on m[12]: session/ }).waitFor()
  await picture.getByRole('link', { name: 'm3', exact: true }).click()
  await panel.getByText(/^1 session left it, 0 to go\.$/).waitFor()
  await panel.getByRole('button', { name: 'Let it take sessions again' }).click()
  await panel.getByRole('heading', { name: 'Drain it' }).waitFor()
  await panel.getByRole('button', { name: 'Close' }).click()
  await group.move(session?.id ?? '', 'm3')

  const pid = await stopMember('m2')
  await headline.getByText('m2 does not answer').waitFor()
  await health.getByRole('listitem').filter({ hasText: 'MEMBER_DOWN' }).getByText('Do:').waitFor()
  kill(pid, 'SIGKILL')
  stopped.delete(pid)
  await headline.getByText(/at rest|level|carries more/).waitFor()

  // The member that serves this page: another one's page is a click away, though browsers hold that for another site.
  await stopMember('m1')
  const alert = page.getByRole('alert')
  await alert.getByText('m1 does not answer').waitFor()
  await alert.getByRole('link', { name: 'm3' }).click()
  await page.getByText(/as m3 sees it/).waitFor()
  expect(page.url()).toBe(`${group.apiOf('m3')}/`)
  await headline.getByText('m1 does not answer').waitFor()
  wakeAll()
  await headline.getByText(/at rest|level|carries more/).waitFor()

  await worker.finish()
  expect([worker.errors, worker.miscompares]).toEqual([0, 0])
  expect(complaints).toEqual([])
  await page.close()
})

test.each([
  { width: 360, theme: 'dark' },
  { width: 1920, theme: 'light' },
] as const)('ten thousand sessions are looked through at $width px', async (looks) => {
  const operator = new OperatorInMemory()
  const top = await operator.top()
  const [pattern] = top.sessions
  if (pattern === undefined) throw new Error('no session')
  const sessions = Array.from({ length: 10_000 }, (_, at) => ({
    ...{ ...pattern, id: String(at), initiator: `iqn.2026-11.test.evenkeel:host${at}` },
    load: at / 10_000,
  }))
  operator.top = async (): Promise<Top> => ({ ...top, sessions })
  const settings = { host: '127.0.0.1', port: 0, version: '0' }
  const failures: unknown[] = []
  const api = await startApi(operator, { ...settings, failed: (error) => failures.push(error) })
  const { page, complaints } = await openPage(browser, api.url, looks)
  const table = page.getByRole('table', { name: 'Sessions' })
  await page.getByText('10,000 sessions', { exact: true }).waitFor()
  expect(await page.getByText('host0', { exact: true }).count()).toBeGreaterThan(0)
  expect(await table.getByRole('row').count()).toBeLessThan(40)
  await table.getByRole('button', { name: 'CPU' }).click()
  await table.getByText('host9999', { exact: true }).waitFor()
  await page.getByRole('searchbox').fill('host4711')
  await table.getByText('host4711', { exact: true }).waitFor()
  expect(await table.getByRole('row').count()).toBe(2)
  await page.getByText(/^and 9,\d+ more$/).waitFor()
  // By keyboard: from line to line, what is known of one, and back.
  await page
    .getByRole('link', { name: /^host\d+ on m1: session/ })
    .first()
    .focus()
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
  expect([complaints, failures]).toEqual([[], []])
  await page.close()
  await api.close()
})
