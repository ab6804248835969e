import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HISTORY_NAME, History } from './history.ts'
import {
  FIGURES,
  type Figures,
  MINUTES,
  packRecord,
  RECORD_BYTES,
  SECONDS,
  unpackRecord,
} from './history-record.ts'

const used = (utilisation: number): Figures =>
  Object.fromEntries(
    FIGURES.map((name) => [name, name === 'utilisation' ? utilisation : null]),
  ) as Record<keyof Figures, number | null>

let folder: string
let failures: unknown[]
const open: History[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-history-'))
  failures = []
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
    expect(size).toBeLessThanOrEqual(MINUTES.offset + MINUTES.records * RECORD_BYTES)
    expect(size).toBeLessThan(3 * 1024 ** 2)
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
    expect(unpackRecord(SECONDS, HOUR_MS, new Uint8Array(RECORD_BYTES), 0)).toBeNull()
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
