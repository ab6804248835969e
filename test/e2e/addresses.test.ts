// What members tell others of their addresses: in URLs, in discovery and in the group's record; over IPv6, and where they
// listen on every address.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freeRange, launcher, run } from './running-group.ts'

let folder: string
let member: ChildProcess | null

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-addresses-'))
  member = null
})
afterEach(async () => {
  if (member !== null && member.exitCode === null) {
    const closed = once(member, 'close')
    member.kill('SIGKILL')
    await closed
  }
  await rm(folder, { recursive: true, force: true })
})

async function serve(listen: string, ...more: string[]) {
  const port = await freeRange(2)
  const file = join(folder, 'm1.json')
  const [portal, api] = [port, port + 1].map((one) => ({ host: listen, port: one }))
  const config = {
    ...{ memberId: 'm1', dataFolder: 'm1', coordinationFile: 'coordination.sqlite' },
    ...{ portal, api, journalBytes: 4 * 2 ** 20 },
  }
  await writeFile(file, JSON.stringify(config))
  member = spawn(launcher, ['serve', '--config', file, '-o', 'json', ...more], { stdio: 'pipe' })
  let said = ''
  member.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const lines = createInterface({ input: member.stdout as NodeJS.ReadableStream })
  const ended = once(member, 'close').then(() => Promise.reject(new Error(said)))
  ended.catch(() => {})
  const [line] = await Promise.race([once(lines, 'line'), ended])
  const ready: { portal: string; api: string; error?: { sentence: string } } = JSON.parse(line)
  if (ready.error !== undefined) throw new Error(ready.error.sentence)
  const evenkeel = async (...args: string[]) =>
    JSON.parse((await run(launcher, ['--api', ready.api, '-o', 'json', ...args])).stdout)
  return { port, ready, evenkeel }
}

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
)

test.runIf(hasIpv6)(
  'over IPv6 every address is in brackets, and works as it is printed',
  async () => {
    const { port, ready, evenkeel } = await serve('::1')
    expect(ready).toMatchObject({ portal: `[::1]:${port}`, api: `http://[::1]:${port + 1}` })
    const { url } = await evenkeel('volume', 'create', 'a', '--size', '16M')
    expect(url).toMatch(new RegExp(`^iscsi://\\[::1\\]:${port}/iqn`))
    expect((await evenkeel('member', 'show', 'm1')).portal).toBe(`[::1]:${port}`)
    expect((await run('iscsi-ls', [`iscsi://[::1]:${port}`])).stdout).toMatch(
      new RegExp(`Portal:\\[::1\\]:${port},1`),
    )
    expect((await run('qemu-io', ['-f', 'raw', '-c', 'write 0 4k', url])).stdout).toContain('wrote')
  },
)

test('who listens on every address announces the one that others reach', async () => {
  await expect(serve('0.0.0.0', '--insecure')).rejects.toThrow(
    /portal\.host: 0\.0\.0\.0 is every address of this host, and nobody can be sent there: say with announce/,
  )
  const { port, ready, evenkeel } = await serve('0.0.0.0', '--insecure', '--announce', '127.0.0.3')
  expect(ready).toMatchObject({
    portal: `127.0.0.3:${port}`,
    api: `http://127.0.0.3:${port + 1}`,
  })
  const { url } = await evenkeel('volume', 'create', 'a', '--size', '16M')
  expect(url).toMatch(new RegExp(`^iscsi://127.0.0.3:${port}/`))
  expect((await run('qemu-io', ['-f', 'raw', '-c', 'write 0 4k', url])).stdout).toContain('wrote')
})
