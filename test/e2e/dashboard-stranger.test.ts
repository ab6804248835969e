// The dashboard in a real browser beside an initiator that is not ours, qemu-io with libiscsi: its session is seen and moved
// while it stays logged in. It fills the group; the page tells that and what to do; it gives the room back, and the page is quiet.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPage, startBrowser } from '../kit/browser.ts'
import { TestGroup } from '../kit/group.ts'
import { Stranger } from '../kit/stranger.ts'

const MIB = 2 ** 20
/** For all members together: less than half of the volume. */
const BUDGET = ['--budget', '96M']

let browser: Browser
let group: TestGroup
let stranger: Stranger | null = null

beforeAll(async () => {
  ;[browser, group] = await Promise.all([
    startBrowser(),
    TestGroup.start('--copies', '1', ...BUDGET),
  ])
})
afterAll(async () => {
  await stranger?.end()
  await browser.close()
  await group.stop()
})

test('a stranger is moved by a person, fills the group, which is told with what to do, and gives the room back', async () => {
  const volume = await group.createVolume('thin', 256 * MIB)
  const { page, complaints } = await openPage(browser, group.apiOf('m1'))
  const panel = page.getByRole('dialog')
  stranger = await Stranger.connect(group.url('m1', volume.iqn))
  await stranger.do('write -P 7 0 1M', /wrote 1048576\/1048576/)

  await page.getByRole('link', { name: /^linux-kvm on m1: session \d+ of thin/ }).click()
  await panel.getByLabel('To').selectOption('m2')
  await panel.getByRole('button', { name: 'Move it to m2' }).click()
  await panel.getByText(/^It is on m2\./).waitFor()
  await panel.getByRole('button', { name: 'Close' }).click()
  await page.getByRole('link', { name: /^linux-kvm on m2: session/ }).waitFor()
  await stranger.do('read -P 7 0 1M', /read 1048576\/1048576/)

  await stranger.do('write -P 8 1M 255M', /No space left on device/)
  const health = page.getByRole('region', { name: 'Health' })
  const full = health.getByRole('listitem').filter({ hasText: 'FULL' })
  await full
    .getByText(/is full: writes of new blocks there are refused/)
    .first()
    .waitFor()
  await full
    .getByText(/Do: Delete volumes or discard what is not needed/)
    .first()
    .waitFor()
  await stranger.do('read -P 7 0 1M', /read 1048576\/1048576/)

  await stranger.do('discard 0 256M', /discard 268435456\/268435456/)
  await full.first().waitFor({ state: 'detached' })
  await stranger.do('write -P 9 0 1M', /wrote 1048576\/1048576/)
  expect(complaints).toEqual([])
  await page.close()
})
