// A member of three is killed under an initiator that is not ours, in a group with two copies, and a person watches in a real
// browser: the page says who is away, what is wrong and what to do, that it is whole again, and afterwards how it was.
import { kill } from 'node:process'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPage, startBrowser } from '../kit/browser.ts'
import { TestGroup } from '../kit/group.ts'
import { Stranger } from '../kit/stranger.ts'

const MIB = 2 ** 20
/** Where the runs of the volume begin, in MiB: each of another slice. */
const RUNS = [0, 16, 32, 48] as const
/** A bucket of the shortest time line is 2 s. */
const STEPS_MOST = 150

let browser: Browser
let group: TestGroup
let stranger: Stranger | null = null

beforeAll(async () => {
  ;[browser, group] = await Promise.all([startBrowser(), TestGroup.start('--copies', '2')])
})
afterAll(async () => {
  await stranger?.end()
  await browser.close()
  group.process.kill('SIGCONT')
  await group.stop()
})

async function writeAll(by: Stranger, pattern: number): Promise<void> {
  for (const run of RUNS) await by.do(`write -P ${pattern} ${run}M 64k`, /wrote 65536\/65536/)
}

test('a member is killed under load: who is away, what to do and its return are seen, and seen again by looking back', async () => {
  const volume = await group.createVolume('kept', 64 * MIB)
  const { page, complaints } = await openPage(browser, group.apiOf('m1'))
  const headline = page.getByRole('heading', { level: 1 })
  const health = page.getByRole('region', { name: 'Health' })
  const problem = (code: string) => health.getByRole('listitem').filter({ hasText: code }).first()
  const events = page.getByRole('region', { name: 'Events' })
  stranger = await Stranger.connect(group.url('m1', volume.iqn))
  await writeAll(stranger, 7)
  await page.getByRole('link', { name: /^linux-kvm on m1: session \d+ of kept/ }).waitFor()
  await events.getByText(/began at m1/).waitFor()

  // Nobody starts it again for now.
  const pid = await group.pidOf('m2')
  if (pid === null) throw new Error('m2 is down')
  group.process.kill('SIGSTOP')
  kill(pid, 'SIGKILL')
  await headline.getByText('m2 does not answer').waitFor()
  await problem('MEMBER_DOWN').getByText('Do:').waitFor()
  await problem('LAST_COPY').getByText('Do:').waitFor()
  await events.getByText('M2 is silent.').first().waitFor()
  for (const run of RUNS) await stranger.do(`read -P 7 ${run}M 64k`, /read 65536\/65536/)
  await writeAll(stranger, 9)
  await page.getByRole('link', { name: 'kept', exact: true }).first().click()
  await page.getByText(/with one copy left|with fewer copies/).waitFor()
  await page.getByRole('button', { name: 'Close' }).click()

  group.process.kill('SIGCONT')
  await events.getByText('M2 has started anew.').first().waitFor()
  await headline.getByText(/at rest|level|carries more/).waitFor()
  await expect.poll(() => health.getByRole('listitem').count()).toBe(0)
  for (const run of RUNS) await stranger.do(`read -P 9 ${run}M 64k`, /read 65536\/65536/)

  const slider = page.getByLabel('Look back')
  for (let step = 0; step < STEPS_MOST; step += 1) {
    await slider.press('ArrowLeft')
    if (await problem('MEMBER_DOWN').isVisible()) break
  }
  await problem('MEMBER_DOWN')
    .getByText(/^ ?from .+ to /)
    .waitFor()
  await page.getByRole('link', { name: /^linux-kvm was on m1: session \d+ of kept/ }).waitFor()
  await page.getByRole('button', { name: 'Back to now' }).click()
  await problem('MEMBER_DOWN').waitFor({ state: 'detached' })
  expect(complaints).toEqual([])
  await page.close()
})
