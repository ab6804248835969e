import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Systemd } from './systemd.ts'

let folder: string
const path = process.env['PATH']
const troubles: string[] = []
const trouble = (sentence: string) => {
  troubles.push(sentence)
}

/** Stands for systemd's own command, and writes down what it is told. */
beforeEach(async () => {
  troubles.length = 0
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-systemd-'))
  const command = join(folder, 'systemd-notify')
  writeFileSync(command, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${join(folder, 'told')}\n`)
  chmodSync(command, 0o755)
  process.env['PATH'] = `${folder}:${path}`
})
afterEach(async () => {
  process.env['PATH'] = path
  await rm(folder, { recursive: true })
})

const told = () =>
  existsSync(join(folder, 'told'))
    ? readFileSync(join(folder, 'told'), 'utf8').trim().split('\n')
    : []

test('SD2 it is told that it serves, again and again that it lives, and that it stops', async () => {
  const environment = {
    NOTIFY_SOCKET: '/run/x',
    WATCHDOG_USEC: '60000',
    WATCHDOG_PID: `${process.pid}`,
  }
  const systemd = Systemd.taken(environment, trouble)
  systemd?.ready('3 members serve')
  await expect.poll(told).toContain('/run/x --ready --status=3 members serve')
  const beats = () => told().filter((line) => line === '/run/x WATCHDOG=1').length
  await expect.poll(beats).toBeGreaterThan(2)
  systemd?.close()
  systemd?.stopping()
  await expect.poll(() => told().at(-1)).toMatch(/^\/run\/x STOPPING=1 --status=stops/)
  expect(troubles).toEqual([])
})

test('SD1 its address is taken out of the environment; the watchdog of another process is not ours', async () => {
  const environment = {
    NOTIFY_SOCKET: '/run/x',
    WATCHDOG_USEC: '3000',
    WATCHDOG_PID: '1',
    HOME: '/',
  }
  const systemd = Systemd.taken(environment, trouble)
  expect(environment).toEqual({ HOME: '/' })
  systemd?.ready('serves')
  await expect.poll(told).toEqual(['/run/x --ready --status=serves'])
  systemd?.stopping()
  await expect.poll(() => told().length).toBe(2)
  expect(Systemd.taken({}, trouble)).toBeNull()
})

test('without the command it says so, once', async () => {
  process.env['PATH'] = '/nowhere'
  const systemd = Systemd.taken({ NOTIFY_SOCKET: '/run/x' }, trouble)
  systemd?.ready('serves')
  await expect
    .poll(() => troubles)
    .toMatchObject([expect.stringMatching(/^systemd cannot be told/)])
  systemd?.stopping()
  process.env['PATH'] = `${folder}:${path}`
  systemd?.stopping()
  await expect.poll(told).toHaveLength(1)
  expect(troubles).toHaveLength(1)
})
