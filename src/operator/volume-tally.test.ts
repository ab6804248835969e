import { expect, test } from 'vitest'
import { volumeId } from '../base/ids.ts'
import type { VolumeRecord } from '../group/record.ts'
import { READ, SessionCounters } from '../load/counters.ts'
import { VOLUMES_NAMED, VolumeTally } from './volume-tally.ts'

const kind = { status: 'check_condition', sense: '3/11/00' }

function counters(reads: number): SessionCounters {
  const made = new SessionCounters()
  for (let i = 0; i < reads; i += 1) {
    made.reads += 1
    made.answered(READ, 1)
    made.failed(kind)
  }
  return made
}

function group(count: number) {
  const volumes = new Map(
    Array.from({ length: count }, (_, i) => {
      const id = volumeId(i + 1)
      return [id, { id, name: `v${i + 1}` } as VolumeRecord] as const
    }),
  )
  const tally = new VolumeTally()
  /** What was read of a volume, by its name, in three ways. */
  const told = (sessions: { id: number; counters: SessionCounters }[] = []) => {
    const living = sessions.map((one) => ({ volume: volumeId(one.id), counters: one.counters }))
    const room = { sizeBytes: 10, heldBytes: 1, takenBytes: 2 }
    const readings = tally.readings(volumes, living, () => room)
    return new Map(
      readings.map(({ name, reads, failures, durations, ...more }) => {
        const counts = [reads, failures[0]?.count ?? 0, durations[READ]?.durations.count]
        expect(new Set(counts).size).toBe(1)
        return [name, { reads, size: more.sizeBytes }]
      }),
    )
  }
  return { volumes, tally, told }
}

test('sessions that live and that have ended are counted, each once', () => {
  const { tally, told } = group(2)
  tally.keep(volumeId(1), counters(3))
  const living = [{ id: 1, counters: counters(2) }]
  expect(told(living).get('v1')?.reads).toBe(5)
  expect(told(living).get('v1')?.reads).toBe(5)
  expect([...told(living).keys()]).toEqual(['v1', 'v2'])
})

test('VT1 the oldest volumes are told by name, and the rest as one', () => {
  const { told } = group(VOLUMES_NAMED + 2)
  const now = told([
    { id: VOLUMES_NAMED, counters: counters(1) },
    { id: VOLUMES_NAMED + 1, counters: counters(2) },
    { id: VOLUMES_NAMED + 2, counters: counters(3) },
  ])
  expect(now.size).toBe(VOLUMES_NAMED + 1)
  expect(now.get(`v${VOLUMES_NAMED}`)).toEqual({ reads: 1, size: 10 })
  expect(now.get(null)).toEqual({ reads: 5, size: 20 })
})

test('VT2 a volume that gets a name leaves in the rest what was counted there', () => {
  const { volumes, told } = group(VOLUMES_NAMED + 1)
  const last = VOLUMES_NAMED + 1
  expect(told([{ id: last, counters: counters(4) }]).get(null)?.reads).toBe(4)
  expect(told([{ id: last, counters: counters(5) }]).get(null)?.reads).toBe(5)
  volumes.delete(volumeId(1))
  const after = told([{ id: last, counters: counters(7) }])
  expect(after.get(`v${last}`)?.reads).toBe(2)
  expect(after.get(null)?.reads).toBe(5)
})

test('VT3 a deleted volume is not told, and its id is nobody else', () => {
  const { volumes, tally, told } = group(1)
  tally.keep(volumeId(1), counters(3))
  const [one] = volumes.values()
  volumes.clear()
  expect([...told()]).toEqual([])
  volumes.set(volumeId(1), one!)
  expect(told().get('v1')?.reads).toBe(0)
})
