// A member is drained while initiators of all kinds are at work on it: all sessions leave, nobody sees an error, nobody comes back.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Move } from '../../src/api/schema.ts'
import { Prng } from '../../src/base/prng.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import { Clients } from '../kit/clients.ts'
import { quantile, TestGroup, tool } from '../kit/group.ts'
import { launcher } from './running-group.ts'

const BYTES = 256 * 2 ** 20
const TEST_LIMIT_MS = 60_000
const QEMU = 'qemu-img'

let group: TestGroup

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1')
})
afterAll(async () => {
  await group.stop()
})

const evenkeel = (...words: string[]) => tool(launcher, ['--api', group.apiOf('m2'), ...words])

test(
  'DR1 a drain under load: all sessions leave, no error, no way back; the last member is not drained',
  async () => {
    const volume = await group.createVolume('drained', BYTES, BLOCK_BYTES)
    const clients = new Clients(group, volume, new Prng(7), 4)
    for (const [n, isid] of (['stable', 'random', 'stable', 'random'] as const).entries())
      await clients.connect({ member: 'm1', writer: n + 1, isid })
    clients.begin(2)
    const other = await group.createVolume('bench', BYTES)
    const load = ['bench', '-w', '-f', 'raw', '-t', 'none', '-d', '8', '-s', '4096']
    const qemu = spawn(QEMU, [...load, '-c', '100000000', group.url('m1', other.iqn)])
    const ended = once(qemu, 'close')
    let said = ''
    for (const stream of [qemu.stdout, qemu.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
    try {
      const on = async (member: string) =>
        (await group.sessions()).filter((one) => one.member === member && one.state === 'live')
      await expect.poll(async () => (await on('m1')).length, { timeout: 10_000 }).toBe(5)

      const would = await evenkeel('member', 'drain', 'm1', '--dry-run')
      expect(would).toMatchObject({ code: 0 })
      expect(would.said).toContain('m1 would give its 5 sessions to the other members')
      const beganMs = performance.now()
      expect((await evenkeel('member', 'drain', 'm1')).said).toContain('m1 is being drained')
      await expect.poll(async () => (await on('m1')).length, { timeout: 30_000 }).toBe(0)
      const tookMs = performance.now() - beganMs
      await clients.goOn()
      expect((await evenkeel('member', 'show', 'm1')).said).toMatch(/drain +for .*0 to go/)
      expect((await group.health('m2')).problems).toContain('DRAINING m1')

      await clients.connect({ member: 'm1', writer: 9, isid: 'random' })
      const where = (await group.sessions()).map(({ member }) => member)
      expect(where).toHaveLength(6)
      expect(where).not.toContain('m1')

      expect(await evenkeel('member', 'drain', 'm2')).toMatchObject({ code: 0 })
      const last = await evenkeel('member', 'drain', 'm3')
      expect(last).toMatchObject({ code: 4 })
      expect(last.said).toContain('no member but m3 answers and takes sessions')
      expect(await evenkeel('member', 'drain', 'm2', '--undo')).toMatchObject({ code: 0 })
      expect(await evenkeel('member', 'drain', 'm1', '--undo')).toMatchObject({ code: 0 })
      const problems = async () => (await group.health('m2')).problems
      await expect.poll(problems).not.toContain('DRAINING m1')

      expect([qemu.exitCode, said]).toEqual([null, expect.not.stringMatching(/fail|error/i)])
      const { body } = await group.call<{ items: Move[] }>('moves?member=m1')
      const away = body.items.filter(({ from }) => from === 'm1')
      expect(away.map(({ by, outcome }) => [by, outcome])).toEqual(
        away.map(() => ['drain', 'returned']),
      )
      expect([await clients.judged(), clients.bad]).toEqual([[], []])
      await clients.close()
      const pauses = away.map(({ pauseMs }) => pauseMs ?? Number.NaN).filter(Number.isFinite)
      console.log(
        `drained 5 sessions in ${Math.round(tookMs)} ms; pause p50/max ${quantile(pauses, 0.5).toFixed(1)} / ${quantile(pauses, 1).toFixed(1)} ms; 0 errors`,
      )
    } finally {
      qemu.kill('SIGKILL')
      await ended
    }
  },
  TEST_LIMIT_MS,
)
