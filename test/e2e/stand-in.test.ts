// A member is killed and does not come back for a while: initiators that know its portal alone come back by themselves at another
// member that answers there, with what was answered to them; when the member is back, so is its portal. How long they stood
// still is told, and not judged.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { kill } from 'node:process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Event } from '../../src/api/event-schema.ts'
import type { Member, VolumeDetail } from '../../src/api/schema.ts'
import { Prng } from '../../src/base/prng.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import { Clients } from '../kit/clients.ts'
import { connectTo } from '../kit/connect.ts'
import { TestGroup, tool } from '../kit/group.ts'
import { launcher } from './running-group.ts'

const { EVENKEEL_SEED = String(Date.now() & 0x7fffffff) } = process.env
const SEED = Number(EVENKEEL_SEED)
const AWAY = 'm2'
const VOLUME_BYTES = 96 * 2 ** 20
const BLOCKS_A_RUN = 3
const PLACES = 16
const told = { timeout: 60_000, interval: 100 }

let group: TestGroup

beforeAll(async () => {
  group = await TestGroup.start('--copies', '2')
})
afterAll(async () => {
  await group.stop()
})

/** qemu-io, one command after another: each place holds what was last written there, which is read again. */
class QemuIo {
  readonly #child
  #said = ''
  rounds = 0
  longestMs = 0
  readonly wrong: string[] = []
  readonly #done: Promise<void>
  #isOver = false

  constructor(url: string) {
    this.#child = spawn('qemu-io', ['-f', 'raw', '-t', 'none', url], { stdio: 'pipe' })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text
      })
    this.#done = this.#work()
  }

  async #work(): Promise<void> {
    for (let i = 0; !this.#isOver; i += 1) {
      const at = `${(i % PLACES) * 4096 * 257} 4096`
      await this.#does(`write -P ${(i % 250) + 1} ${at}`, /wrote 4096\/4096/)
      await this.#does(`read -P ${(i % 250) + 1} ${at}`, /read 4096\/4096/)
      this.rounds += 1
    }
  }

  async #does(command: string, right: RegExp): Promise<void> {
    const begunMs = performance.now()
    this.#said = ''
    this.#child.stdin.write(`${command}\n`)
    while (!/ops;|fail|error/i.test(this.#said)) {
      if (this.#child.exitCode !== null) throw new Error(`qemu-io ended: ${this.#said}`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    this.longestMs = Math.max(this.longestMs, performance.now() - begunMs)
    if (!right.test(this.#said) || /fail|error/i.test(this.#said)) this.wrong.push(this.#said)
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#done
    const closed = once(this.#child, 'close')
    this.#child.stdin.end('quit\n')
    await closed
  }
}

const memberOf = async (id: string): Promise<Member | undefined> =>
  (await group.status('m1')).members.find((one) => one.id === id)

async function where(volume: VolumeDetail): Promise<readonly string[]> {
  const all = (await group.sessions()).filter((one) => one.volume === volume.name)
  return all.filter(({ state }) => state === 'live').map(({ member }) => member)
}

test('initiators at the portal of a member that stays away come back at another one, and the portal is given back', async () => {
  const volume = await group.createVolume('stood-in', VOLUME_BYTES, BLOCK_BYTES)
  const disk = await group.createVolume('qemu', VOLUME_BYTES)
  const clients = new Clients(group, volume, new Prng(SEED), BLOCKS_A_RUN)
  await clients.connect({ member: AWAY, writer: 1, isid: 'stable' })
  await clients.connect({ member: AWAY, writer: 2, isid: 'random' })
  await clients.connect({ member: 'm1', writer: 3, isid: 'stable' })
  const qemu = new QemuIo(group.url(AWAY, disk.iqn))
  clients.begin(1)
  try {
    await clients.goOn()
    await expect.poll(() => qemu.rounds, told).toBeGreaterThan(PLACES)
    expect(await where(disk)).toEqual([AWAY])

    const configuration = join(group.dataFolder, `${AWAY}.json`)
    const pid = await group.pidOf(AWAY)
    if (pid === null) throw new Error(`${AWAY} is not up`)
    await rename(configuration, `${configuration}.away`)
    const killedMs = performance.now()
    kill(pid, 'SIGKILL')
    await clients.goOn()
    const oursMs = performance.now() - killedMs
    const before = qemu.rounds
    await expect.poll(() => qemu.rounds, told).toBeGreaterThan(before + 2)
    await expect.poll(async () => (await memberOf(AWAY))?.standIn?.member, told).toMatch(/^m[13]$/)
    expect((await where(volume)).includes(AWAY) || (await where(disk)).includes(AWAY)).toBe(false)
    const shown = await tool(launcher, ['--api', group.apiOf('m1'), 'member', 'show', AWAY])
    expect(shown.said).toMatch(
      /portal +127\.0\.0\.1:\d+, where m[13] answers for .*, as it is away/,
    )
    const eventsOf = async () => {
      const { items } = (await group.call<{ items: Event[] }>('events/kept?kind=member')).body
      return items.map(({ event }) => event.sentence).join()
    }
    await expect.poll(eventsOf, told).toMatch(/m[13] answers at (its portal|the portal of m2)/)

    await rename(`${configuration}.away`, configuration)
    const backMs = performance.now()
    await expect
      .poll(async () => memberOf(AWAY), told)
      .toMatchObject({ state: 'up', standIn: null })
    const isBackMs = performance.now() - backMs
    const newcomer = await connectTo(group, disk, { name: 'newcomer', member: AWAY })
    await expect.poll(() => where(disk), told).toContain(AWAY)
    await newcomer.close()
    await clients.goOn()
    await qemu.end()
    const violations = await clients.judged()
    console.log(
      `stand-in: seed ${SEED} (EVENKEEL_SEED), ${clients.figures().good} commands and ${qemu.rounds} rounds of qemu-io, ` +
        `${violations.length} violations, ${qemu.wrong.length} wrong; all went on ${(oursMs / 1000).toFixed(1)} s after the kill, ` +
        `qemu-io stood still for ${(qemu.longestMs / 1000).toFixed(1)} s; the member was back ${(isBackMs / 1000).toFixed(1)} s after it could start`,
    )
    expect(violations).toEqual([])
    expect(clients.bad).toEqual([])
    expect(qemu.wrong).toEqual([])
  } finally {
    await clients.close()
  }
}, 200_000)
