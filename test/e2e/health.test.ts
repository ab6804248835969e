// What an operator is told while something is wrong with a group: by `evenkeel status`, its exit code and the API.
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { kill } from 'node:process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestGroup } from '../kit/group.ts'

let group: TestGroup

beforeAll(async () => {
  group = await TestGroup.start()
})
afterAll(async () => {
  await group.stop()
})

const told = { timeout: 60_000, interval: 500 }

async function pidOf(member: string): Promise<number> {
  const pid = await group.pidOf(member)
  if (pid === null) throw new Error(`${member} is not up`)
  return pid
}

test('a member that ends again and again is told with its last error, and as a warning once it serves', async () => {
  await expect.poll(() => group.health(), told).toEqual({ code: 0, problems: [] })
  const pid = await pidOf('m3')
  const journal = join(group.dataFolder, 'm3', 'journal')
  await rename(journal, `${journal}.away`)
  kill(pid, 'SIGKILL')
  const problemsOf = async () => (await group.status()).problems
  await expect
    .poll(problemsOf, told)
    .toMatchObject([{ code: 'MEMBER_RESTARTING', severity: 'error', subject: 'm3' }])
  await expect
    .poll(async () => (await problemsOf())[0]?.sentence, told)
    .toMatch(/m3 has ended [3-9] times and does not serve now\. Last, .*journal/)
  const [first] = await problemsOf()
  expect((await group.status('m2')).problems[0]?.since).toBe(first?.since)
  const looping = { code: 20, problems: ['MEMBER_RESTARTING m3'] }
  await expect.poll(() => group.health(), told).toEqual(looping)

  await rename(`${journal}.away`, journal)
  await expect
    .poll(() => group.health(), told)
    .toEqual({ code: 10, problems: ['MEMBER_RESTARTING m3'] })
  expect((await problemsOf())[0]?.since).toBe(first?.since)
}, 180_000)
