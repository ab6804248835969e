// The path of a member's Unix socket, and what becomes of its links when the file is removed.

import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MemberId, memberId } from '../base/ids.ts'
import type { Stream } from '../base/net.ts'
import { PeerLinks } from '../peer/links.ts'
import { SystemClock } from './clock.ts'
import { SystemNet } from './net.ts'

const LOOK_MS = 20
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-socket-'))
})
afterAll(() => rm(folder, { recursive: true }))

const net = () => new SystemNet({ lookMs: LOOK_MS })
const unix = (name: string) => ({ kind: 'unix', path: join(folder, name) }) as const

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

async function answers(path: string): Promise<boolean> {
  const stream = await net()
    .connect({ kind: 'unix', path }, 500)
    .catch(() => null)
  stream?.own({ received() {}, ended() {}, written() {}, closed() {} })
  stream?.destroy()
  return stream !== null
}

function quietly(stream: Stream): void {
  stream.own({ received() {}, ended() {}, written() {}, closed() {} })
}

test('UX3 links to a member whose socket was removed heal, and what was open lives on', async () => {
  const clock = new SystemClock()
  const told: string[] = []
  const of = (memberId: MemberId) => {
    const links = new PeerLinks({
      self: { groupId: 'g', memberId, bootId: memberId },
      net: new SystemNet({ lookMs: LOOK_MS, tell: (sentence) => told.push(sentence) }),
      clock,
      addressOf: (member) => unix(`${member}.sock`),
      server: {
        control: (_from, _kind, body) => (body instanceof Uint8Array ? null : body),
        operation: () => ({ status: 0 }),
        fence: () => undefined,
        serving: () => Promise.resolve(),
      },
    })
    return links
  }
  const [a, b] = [of(memberId('a')), of(memberId('b'))]
  await a.listen(unix('a.sock'))
  expect(await b.ask(memberId('a'), 'summary', 1, 5_000)).toBe(1)
  await rm(join(folder, 'a.sock'))
  expect(await b.ask(memberId('a'), 'summary', 2, 5_000)).toBe(2) // over the stream that is open
  await b.close()
  const again = of(memberId('c'))
  await until(async () => (await again.ask(memberId('a'), 'summary', 3, 500)) === 3)
  expect(told).toEqual([expect.stringContaining('a.sock had been removed, and is there again')])
  await Promise.all([a.close(), again.close()])
  expect(await readdir(folder)).toEqual([])
})

test('UX3 a file that is no socket of anybody is replaced', async () => {
  const address = unix('b.sock')
  const listener = await net().listen(address, quietly)
  await rm(address.path)
  await writeFile(address.path, '')
  await until(() => answers(address.path))
  await listener.close()
  expect(existsSync(address.path)).toBe(false)
})

test('UX1 a path at which another process answers is taken neither at the beginning nor later', async () => {
  const address = unix('c.sock')
  const listener = await net().listen(address, quietly)
  await expect(net().listen(address, quietly)).rejects.toThrow('in use by another process')
  await rm(address.path)
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(address.path, () => resolve()))
  let came = 0
  other.on('connection', (socket) => {
    came += 1
    socket.destroy()
  })
  await until(() => came > 2) // it looks, and finds somebody
  await listener.close()
  expect(existsSync(address.path)).toBe(true)
  await new Promise((resolve) => other.close(resolve))
})

test('UX2 the end of one listener leaves the socket of its successor', async () => {
  const address = unix('d.sock')
  const first = await new SystemNet({ lookMs: 3_600_000 }).listen(address, quietly)
  await rename(address.path, `${address.path}.old`)
  const second = await net().listen(address, quietly)
  await first.close()
  expect(await answers(address.path)).toBe(true)
  await second.close()
  expect(existsSync(address.path)).toBe(false)
})
