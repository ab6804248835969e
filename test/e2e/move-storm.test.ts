// A session is moved again as soon as the last move returned, under loads that use up the command window: nobody sees an
// error, nothing is lost, nothing is executed twice, nothing is sent again.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { judge } from '../../sim/checkers/linearizability.ts'
import type { Move, Volume } from '../../src/api/schema.ts'
import { Prng } from '../../src/base/prng.ts'
import { History } from '../../src/initiator/history.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { connectTo } from '../kit/connect.ts'
import { quantile, TestGroup } from '../kit/group.ts'

const { EVENKEEL_STORM_SECONDS = '10' } = process.env
const STORM_MS = Number(EVENKEEL_STORM_SECONDS) * 1000
const MOVE_EVERY_MS = 200
const MIB = 2 ** 20
const VOLUME_BYTES = 256 * MIB
const TEST_LIMIT_MS = STORM_MS + 90_000

let group: TestGroup
const started: ChildProcess[] = []

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1')
})
afterEach(async () => {
  for (const child of started.splice(0)) await end(child)
})
afterAll(async () => {
  await group.stop()
})

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  await closed
}

interface Load {
  readonly child: ChildProcess
  said: string
  readonly ended: Promise<number | null>
}

function begin(command: string, args: readonly string[]): Load {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(child)
  const load = { child, said: '', ended: once(child, 'close').then(([code]) => code) }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      load.said += text
    })
  }
  return load
}

const isRunning = ({ child }: Load) => child.exitCode === null && child.signalCode === null

/** The only session of the volume, once it is live. */
async function sessionOf(
  volume: Volume,
): Promise<{ readonly id: string; readonly member: string }> {
  const find = async () =>
    (await group.sessions()).find((one) => one.volume === volume.name && one.state === 'live')
  await expect.poll(find, { interval: 50 }).toBeDefined()
  const session = await find()
  if (session === undefined) throw new Error(`no session of ${volume.name}`)
  return session
}

/** Moves the session on from member to member until the time is over; tells the records as they are at the end. */
async function storm(volume: Volume, goesOn: () => boolean): Promise<readonly Move[]> {
  const { id, member } = await sessionOf(volume)
  let at = group.members.indexOf(member)
  const endMs = performance.now() + STORM_MS
  let made = 0
  while (performance.now() < endMs && goesOn()) {
    const beganMs = performance.now()
    const next = (at + 1) % group.members.length
    const { outcome } = await group.move(id, String(group.members[next]))
    expect(outcome).toBeOneOf(['returned', 'abandoned'])
    if (outcome === 'returned') {
      at = next
      made += 1
    }
    const restMs = MOVE_EVERY_MS - (performance.now() - beganMs)
    if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs))
  }
  const records = async () => {
    const { body } = await group.call<{ items: Move[] }>('moves?limit=1000')
    return body.items.filter(({ session, outcome }) => session === id && outcome === 'returned')
  }
  // A move that finds no quiet in 4 s, as on a machine with no time to spare, is given up, and nothing comes of it.
  expect(made).toBeGreaterThan(0)
  // What was on the wire at a break is counted until half a second after it.
  const counted = async () => (await records()).filter(({ resent }) => resent !== null).length
  await expect.poll(counted).toBe(made)
  return records()
}

function report(load: string, moves: readonly Move[], more: string): void {
  const of = (field: 'drainMs' | 'pauseMs') => {
    const values = moves.map((move) => move[field] ?? Number.NaN)
    return [0.5, 0.99, 1].map((q) => quantile(values, q).toFixed(1)).join(' / ')
  }
  const resent = moves.reduce((sum, move) => sum + (move.resent ?? 0), 0)
  console.log(
    `${load}: ${moves.length} moves; drain p50/p99/max ${of('drainMs')} ms; ` +
      `pause ${of('pauseMs')} ms; on the wire at a break ${resent}; ${more}`,
  )
}

const sentAgain = (moves: readonly Move[]) => moves.filter(({ resent }) => resent !== 0)

/** Under `qemu-img bench`, which ends at once with a sentence if it meets an I/O error. */
async function qemuStorm(name: string, blockBytes: number): Promise<readonly Move[]> {
  const volume = await group.createVolume(name, VOLUME_BYTES)
  // More than it can do: it is ended when the storm is over.
  const args = ['bench', '-w', '-f', 'raw', '-t', 'none', '-d', '8', '-s', String(blockBytes)]
  const load = begin('qemu-img', [...args, '-c', '100000000', group.url('m1', volume.iqn)])
  const moves = await storm(volume, () => isRunning(load))
  expect({ isRunning: isRunning(load), said: load.said }).toEqual({
    isRunning: true,
    said: expect.not.stringMatching(/fail|error/i),
  })
  await end(load.child)
  return moves
}

test(
  'qemu-img bench, 4 KiB writes at depth 8',
  async () => {
    const moves = await qemuStorm('bench-small', 4096)
    report('qemu-img bench 4 KiB', moves, '0 errors')
    expect(sentAgain(moves)).toEqual([])
  },
  TEST_LIMIT_MS,
)

test(
  'qemu-img bench, 1 MiB writes at depth 8',
  async () => {
    const moves = await qemuStorm('bench-large', MIB)
    report('qemu-img bench 1 MiB', moves, '0 errors')
    expect(sentAgain(moves)).toEqual([])
  },
  TEST_LIMIT_MS,
)

test(
  'a verifying fio through qemu-nbd',
  async () => {
    const volume = await group.createVolume('verify', VOLUME_BYTES)
    const socket = join(group.folder, 'nbd.sock')
    const nbd = ['--persistent', '--cache=none', '-f', 'raw', '-k', socket]
    begin('qemu-nbd', [...nbd, group.url('m1', volume.iqn)])
    await expect.poll(() => existsSync(socket)).toBe(true)
    const load = begin('fio', [
      ...['--name=verify', '--ioengine=nbd', `--uri=nbd+unix:///?socket=${socket}`],
      ...['--rw=randwrite', '--bs=4k', '--iodepth=16', `--size=${16 * MIB}`],
      ...[
        '--verify=crc32c',
        '--verify_fatal=1',
        '--verify_backlog=256',
        '--do_verify=1',
        '--verify_state_save=0',
      ],
      ...['--time_based', `--runtime=${Math.ceil(STORM_MS / 1000) + 3}`, '--output-format=json'],
    ])
    const moves = await storm(volume, () => isRunning(load))
    const code = await load.ended
    const job = JSON.parse(load.said.slice(load.said.indexOf('{'))).jobs[0]
    const verified = job.read.total_ios
    report('fio verify', moves, `${job.write.total_ios} writes, ${verified} verified`)
    expect({ code, error: job.error }).toEqual({ code: 0, error: 0 })
    expect(verified).toBeGreaterThan(0)
    expect(sentAgain(moves)).toEqual([])
  },
  TEST_LIMIT_MS,
)

test(
  'our own initiator at depth 32, judged block by block',
  async () => {
    const volume = await group.createVolume('own', VOLUME_BYTES)
    const clock = new SystemClock()
    const seed = Date.now() & 0x7fffffff
    const prng = new Prng(seed)
    const initiator = await connectTo(group, volume, {
      ...{ name: 'storm', prng: prng.fork(), behaviour: { queueDepth: 32 } },
    })
    try {
      const { blockBytes } = await initiator.readCapacity()
      const history = new History({ nowMs: () => clock.nowMs(), writer: 1, blockBytes })
      let goesOn = true
      let bad = 0
      // Few places, so that every one is written and read many times.
      const places = Array.from({ length: 96 }, (_, i) => (i * 2.5 * MIB) / blockBytes)
      const worker = async () => {
        const bytes = new Uint8Array(4096)
        while (goesOn && !history.isFull) {
          const lba = prng.pick(places)
          const answer = prng.chance(0.5)
            ? await initiator.write(lba, bytes, history.writing(lba, bytes))
            : await initiator.read(lba, 8, bytes, history.reading(lba, bytes))
          if (answer.kind !== 'answered' || answer.status !== 0) bad += 1
        }
      }
      const workers = Promise.all(Array.from({ length: 32 }, worker))
      const moves = await storm(volume, () => true).finally(() => {
        goesOn = false
      })
      await workers
      const { travels } = initiator
      const more = `seed ${seed}, ${history.operations.length} block operations, sent again ${travels.resent}`
      report('our own initiator', moves, more)
      expect(bad).toBe(0)
      expect(judge([history])).toEqual([])
      expect(travels).toMatchObject({ reconnects: 0, resent: 0, movesFollowed: moves.length })
      expect(sentAgain(moves)).toEqual([])
    } finally {
      await initiator.close()
    }
  },
  TEST_LIMIT_MS,
)
