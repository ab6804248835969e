import { beforeAll, expect, test } from 'vitest'
import { Durations } from '../base/durations.ts'
import { OPS } from '../load/counters.ts'
import { VOLUMES_NAMED } from '../operator/volume-tally.ts'
import { type Family, readExposition } from './exposition.fixture.ts'
import { Exposition } from './exposition.ts'
import { metricsText } from './metrics.ts'
import { OperatorInMemory } from './operator-in-memory.fixture.ts'

let families: ReadonlyMap<string, Family>

beforeAll(async () => {
  families = readExposition(await metricsText(new OperatorInMemory().readings()))
})

test('names are as Prometheus wants them: one prefix, base units, _total on counters alone', () => {
  expect(families.size).toBeGreaterThan(40)
  for (const { name, type, help } of families.values()) {
    expect(name).toMatch(/^(evenkeel|process)_/)
    expect(name.endsWith('_total'), name).toBe(type === 'counter')
    expect(name, name).not.toMatch(/_(ms|milliseconds|percent|kb|mib|minutes)(_|$)/)
    expect(help, name).toMatch(/^[A-Z]/)
  }
})

test('a histogram is cumulative, ends with +Inf, and that is its count', () => {
  const histograms = [...families.values()].filter(({ type }) => type === 'histogram')
  expect(histograms).toHaveLength(5)
  for (const { name, samples } of histograms) {
    const buckets = new Map<string, [number, number][]>()
    for (const { name: sample, labels, value } of samples) {
      if (!sample.endsWith('_bucket')) continue
      const { le, ...own } = Object.fromEntries(labels)
      const key = JSON.stringify(own)
      buckets.set(key, [
        ...(buckets.get(key) ?? []),
        [Number(le?.replace('+Inf', 'Infinity')), value],
      ])
    }
    const counts = samples.filter((one) => one.name === `${name}_count`)
    expect(counts.length, name).toBeGreaterThan(0)
    for (const { labels, value } of counts) {
      const own = buckets.get(JSON.stringify(Object.fromEntries(labels))) ?? []
      expect(own.at(-1), name).toEqual([Number.POSITIVE_INFINITY, value])
      for (const column of [0, 1] as const) {
        const numbers = own.map((pair) => pair[column])
        expect(numbers, name).toEqual(numbers.toSorted((a, b) => a - b))
      }
    }
  }
})

test('ME1 the size of a volume that another member tells is not told', async () => {
  const readings = new OperatorInMemory().readings()
  const volumes = readings.volumes.map((volume) => ({ ...volume, sizeBytes: null }))
  const text = readExposition(await metricsText({ ...readings, volumes }))
  expect(text.get('evenkeel_volume_size_bytes')?.samples).toEqual([])
  expect(families.get('evenkeel_volume_size_bytes')?.samples).toHaveLength(1)
})

test('what stands in a label cannot end it', async () => {
  const text = new Exposition()
  const durations = new Durations()
  const name = 'a "\\ b\nc'
  text.gauge('a_ratio', 'A.', [{ labels: { name }, value: 1 }])
  text.histogram('b_seconds', 'B.', [{ labels: { name }, durations }])
  for (const { samples } of readExposition(await text.text()).values()) {
    for (const { labels } of samples) expect(labels.get('name')).toBe(name)
  }
})

test('ME2 a scrape has a bound, however many volumes are used, and is told in a moment', async () => {
  const readings = new OperatorInMemory().readings()
  const [volume] = readings.volumes
  const durations = new Durations()
  for (let ms = 0.1; ms < 1_000; ms *= 1.7) durations.add(ms)
  const byOp = OPS.map((op) => ({ op, durations }))
  const volumes = Array.from({ length: VOLUMES_NAMED + 1 }, (_, i) => ({
    ...volume!,
    ...{ name: i === VOLUMES_NAMED ? null : `volume-${i}`, durations: byOp },
  }))
  const text = await metricsText({ ...readings, volumes })
  expect(text.length).toBeLessThan(1024 ** 2)
  expect(readExposition(text).get('evenkeel_io_duration_seconds')?.samples).toHaveLength(
    (VOLUMES_NAMED + 1) * OPS.length * 22,
  )
})
