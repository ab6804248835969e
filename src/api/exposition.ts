// Prometheus' text format. What was counted in buckets (base/durations.ts) is written as a histogram by hand: the library
// can only observe one value at a time.
import { setImmediate } from 'node:timers/promises'
import { Counter, Gauge, Registry } from 'prom-client'
import { bucketSeconds, type DurationCounts } from '../base/durations.ts'

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

type Labels = Readonly<Record<string, string>>

export interface Value {
  readonly labels?: Labels
  readonly value: number
}

export interface Timed {
  readonly labels: Labels
  readonly durations: DurationCounts
}

/** From 62.5 µs to 16 s: what is outside is in the first bucket, or in the last, which has no end. */
const FIRST = 2
const LAST = 20
const BOUNDS = Array.from({ length: LAST + 1 }, (_, i) => `le="${bucketSeconds(i)}"`)
/** Series that are written in one turn of the event loop: commands do not wait for all of them. */
const SERIES_AT_ONCE = 32

interface Histogram {
  readonly name: string
  readonly help: string
  readonly values: readonly Timed[]
}

export class Exposition {
  readonly #registry = new Registry()
  readonly #histograms: Histogram[] = []

  gauge(name: string, help: string, values: readonly Value[]): void {
    const metric = new Gauge({ name, help, ...this.#shape(values) })
    for (const { labels = {}, value } of values) metric.set(labels, value)
  }

  counter(name: string, help: string, values: readonly Value[]): void {
    const metric = new Counter({ name, help, ...this.#shape(values) })
    for (const { labels = {}, value } of values) metric.inc(labels, value)
  }

  histogram(name: string, help: string, values: readonly Timed[]): void {
    this.#histograms.push({ name, help, values })
  }

  async text(): Promise<string> {
    const parts = [await this.#registry.metrics()]
    for (const { name, help, values } of this.#histograms) {
      parts.push(`\n# HELP ${name} ${help}\n# TYPE ${name} histogram`)
      for (const [i, value] of values.entries()) {
        parts.push(seriesText(name, value))
        if (i % SERIES_AT_ONCE === SERIES_AT_ONCE - 1) await setImmediate()
      }
    }
    return `${parts.join('\n')}\n`
  }

  #shape(values: readonly Value[]) {
    // Of a metric without labels the library would tell a zero that nobody has measured.
    const labelNames = values.length === 0 ? ['none'] : Object.keys(values[0]?.labels ?? {})
    return { labelNames, registers: [this.#registry] }
  }
}

function seriesText(name: string, { labels, durations: { buckets, sumMs, count } }: Timed): string {
  const own = Object.entries(labels)
    .map(([label, value]) => `${label}="${escaped(value)}"`)
    .join(',')
  let text = ''
  let below = 0
  for (let i = 0; i <= LAST; i += 1) {
    below += buckets[i] ?? 0
    if (i >= FIRST) text += `${name}_bucket{${own},${BOUNDS[i]}} ${below}\n`
  }
  return (
    `${text}${name}_bucket{${own},le="+Inf"} ${count}\n` +
    `${name}_sum{${own}} ${sumMs / 1000}\n${name}_count{${own}} ${count}`
  )
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
