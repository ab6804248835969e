import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PastSession } from '../api/history-schema.ts'
import { HISTORY_NAME, History } from './history.ts'
import {
  endOf,
  FIGURES,
  type Figures,
  MINUTES,
  packRecord,
  SECONDS,
  unpackRecord,
} from './history-record.ts'
import { OFTEN, packSessions, SELDOM, unpackSessions } from './session-record.ts'

const used = (utilisation: number): Figures =>
  Object.fromEntries(
    FIGURES.map((name) => [name, name === 'utilisation' ? utilisation : null]),
  ) as Record<keyof Figures, number | null>

let folder: string
let failures: unknown[]
let sessions: PastSession[]
const open: History[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-history-'))
  failures = []
  sessions = []
})
afterEach(async () => {
  for (const history of open.splice(0)) await history.close()
  await rm(folder, { recursive: true, force: true })
})

/** A whole hour of the wall clock, from which the tests count. */
const HOUR_MS = Math.floor(Date.parse('2026-11-30T12:00:00Z') / 3_600_000) * 3_600_000

async function historyOf(member = 'm1', nowMs = HOUR_MS): Promise<History> {
  const history = await History.open({
    ...{ folder, group: 'g', member },
    clock: {
      wallMs: () => nowMs,
      nowMs: () => 0,
      // Nothing is measured by itself here.
      after: () => ({ cancel: () => {} }),
      soon: () => {},
    },
    now: () => null,
    sessions: () => sessions,
    failed: (why) => failures.push(why),
  })
  open.push(history)
  return history
}

describe('a record', () => {
  test('HR1 has its place by its time, in a file that does not grow', async () => {
    const history = await historyOf()
    for (let n = 0; n < 5; n += 1) {
      await history.keep(used(0.5), HOUR_MS + n * SECONDS.records * SECONDS.stepMs)
    }
    await history.keep(used(0.5), HOUR_MS - 1_000)
    const { size } = await stat(join(folder, HISTORY_NAME))
    expect(size).toBeLessThanOrEqual(endOf(SELDOM))
    expect(endOf(MINUTES)).toBeLessThan(3 * 1024 ** 2)
    expect(endOf(SELDOM)).toBeLessThan(23 * 1024 ** 2)
  })

  test('HR2 counts at its own time, and only whole', () => {
    const bytes = packRecord(SECONDS, HOUR_MS, used(0.25))
    expect(unpackRecord(SECONDS, HOUR_MS, bytes, 0)?.utilisation).toBe(0.25)
    expect(unpackRecord(SECONDS, HOUR_MS, bytes, 0)?.iops).toBeNull()
    const roundLater = HOUR_MS + SECONDS.records * SECONDS.stepMs
    expect(unpackRecord(SECONDS, roundLater, bytes, 0)).toBeNull()
    for (const at of [4, 40, 60]) {
      const torn = bytes.slice()
      torn[at] = (torn[at] ?? 0) ^ 1
      expect(unpackRecord(SECONDS, HOUR_MS, torn, 0), String(at)).toBeNull()
    }
    expect(unpackRecord(SECONDS, HOUR_MS, new Uint8Array(SECONDS.recordBytes), 0)).toBeNull()
  })
})

const sessionOf = (number: number, load: number | null): PastSession => ({
  ...{ id: String(number), initiator: `iqn.2026-11.test.evenkeel:host${number}`, volume: 'vol1' },
  load,
})

describe('the sessions of a member', () => {
  test('SR1 the heaviest are kept, and the others counted', () => {
    const many = Array.from({ length: 10_000 }, (_, at) => sessionOf(at, at / 10_000))
    const kept = unpackSessions(OFTEN, HOUR_MS, packSessions(OFTEN, HOUR_MS, many))
    const count = kept?.sessions.length ?? 0
    expect(count).toBeGreaterThan(40)
    expect(kept?.others).toBe(10_000 - count)
    expect(kept?.sessions[0]).toEqual(sessionOf(9_999, 1))
    const few = [sessionOf(1, 0.123_456), sessionOf(2, null)]
    expect(unpackSessions(OFTEN, HOUR_MS, packSessions(OFTEN, HOUR_MS, few))).toEqual({
      sessions: [sessionOf(1, 0.123), sessionOf(2, null)],
      others: 0,
    })
    const long = { ...sessionOf(1, 1), initiator: `iqn.${'é'.repeat(2_100)}` }
    expect(unpackSessions(OFTEN, HOUR_MS, packSessions(OFTEN, HOUR_MS, [long]))).toEqual({
      sessions: [],
      others: 1,
    })
    expect(unpackSessions(OFTEN, HOUR_MS, new Uint8Array(OFTEN.recordBytes))).toBeNull()
  })

  test('are kept each 5 s for an hour, and each 10 minutes for when that is gone', async () => {
    const history = await historyOf()
    for (let second = 0; second < 900; second += 1) {
      sessions = [sessionOf(second, 1)]
      await history.keep(used(0.5), HOUR_MS + second * 1_000)
    }
    const at = async (second: number) =>
      (await history.sessionsAt(HOUR_MS + second * 1_000))?.sessions[0]?.id
    expect([await at(0), await at(4), await at(5), await at(899), await at(903)]).toEqual([
      ...['0', '0', '5', '895', '895'],
    ])
    // An hour later the ring begins anew.
    for (let second = 3_600; second < 4_500; second += 5)
      await history.keep(used(0.5), HOUR_MS + second * 1_000)
    expect([await at(5), await at(700)]).toEqual(['0', '600'])
    expect(await at(-1)).toBeUndefined()
    expect(await at(90_000)).toBeUndefined()
  })
})

describe('the past of a member', () => {
  test('is read by seconds, averaged over what is asked for, with gaps where it was not there', async () => {
    // The hour that was asked for is a little longer ago when it is read.
    const history = await historyOf('m1', HOUR_MS + 3_600_000 + 50)
    for (const [second, share] of [
      [0, 0.2],
      [1, 0.4],
      [4, 0.6],
    ] as const) {
      await history.keep(used(share), HOUR_MS + second * 1_000)
    }
    const { utilisation, iops } = await history.read({ fromMs: HOUR_MS, stepMs: 2_000, count: 4 })
    expect(utilisation).toEqual([0.3, null, 0.6, null])
    expect(iops).toEqual([null, null, null, null])
  })

  test('is kept by minutes for when the seconds are gone, and outlives its process', async () => {
    const first = await historyOf()
    for (let second = 0; second < 180; second += 10) {
      await first.keep(used(second < 60 ? 0.1 : 0.5), HOUR_MS + second * 1_000)
    }
    await first.close()
    const dayLater = await historyOf('m1', HOUR_MS + 86_400_000)
    const { utilisation } = await dayLater.read({ fromMs: HOUR_MS, stepMs: 60_000, count: 3 })
    expect(utilisation).toEqual([0.1, 0.5, null])
  })

  test('HB1 one write is under way at a time, and a file that cannot be written is told once', async () => {
    const history = await historyOf('m1', HOUR_MS + 60_000)
    await Promise.all([history.keep(used(0.1), HOUR_MS), history.keep(used(0.9), HOUR_MS + 1_000)])
    const { utilisation } = await history.read({ fromMs: HOUR_MS, stepMs: 1_000, count: 2 })
    expect(utilisation).toEqual([0.1, null])
    await history.close()
    for (let n = 0; n < 3; n += 1) await history.keep(used(0.1), HOUR_MS + n * 1_000)
    expect(failures).toHaveLength(1)
    await rm(folder, { recursive: true })
    const without = await historyOf()
    await without.keep(used(0.1), HOUR_MS)
    expect(failures).toHaveLength(2)
    expect((await without.read({ fromMs: HOUR_MS, stepMs: 1_000, count: 1 })).utilisation).toEqual([
      null,
    ])
  })

  test("HB2 another member's, or a file of something else, is begun anew", async () => {
    const own = await historyOf('m1', HOUR_MS + 60_000)
    await own.keep(used(0.1), HOUR_MS)
    await own.close()
    const other = await historyOf('m2', HOUR_MS + 60_000)
    const span = { fromMs: HOUR_MS, stepMs: 1_000, count: 1 }
    expect((await other.read(span)).utilisation).toEqual([null])
    await other.close()
    await writeFile(join(folder, HISTORY_NAME), 'something else')
    await (await historyOf('m1')).close()
    expect((await readFile(join(folder, HISTORY_NAME))).toString('latin1', 0, 6)).toBe('EKPAST')
    expect(failures).toEqual([])
  })
})
