// The dashboards and alerts of deploy/ ask for what members export, and for nothing else. Whether Prometheus takes them is
// checked by scripts/check-metrics.ts, against a real one.
import { readdir, readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { dashboards } from '../scripts/grafana/dashboards.ts'
import { dashboardJson } from '../scripts/grafana/panels.ts'
import { queriesIn } from '../scripts/grafana/queries.ts'
import { type Family, readExposition } from '../src/api/exposition.fixture.ts'
import { healthCode } from '../src/api/health-schema.ts'
import { metricsText } from '../src/api/metrics.ts'
import { OperatorInMemory } from '../src/api/operator-in-memory.fixture.ts'

const DEPLOY = new URL('../deploy/', import.meta.url)
/** What Prometheus adds to what it has scraped. */
const ADDED = ['job', 'instance', 'le']
const BY_PROMETHEUS: ReadonlyMap<string, readonly string[]> = new Map([['up', ADDED]])

/** Each metric with its labels. */
let known: ReadonlyMap<string, readonly string[]>

beforeAll(async () => {
  const families = readExposition(await metricsText(new OperatorInMemory().readings()))
  known = new Map([
    ...BY_PROMETHEUS,
    ...[...families.values()].flatMap((family) =>
      namesOf(family).map((name) => [name, labelsOf(family)] as const),
    ),
  ])
})

function namesOf({ name, type }: Family): readonly string[] {
  return type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name]
}

function labelsOf({ samples }: Family): readonly string[] {
  return [...new Set(samples.flatMap(({ labels }) => [...labels.keys()])), ...ADDED]
}

/** What is wrong with the names in an expression, as sentences. */
function strangersIn(expr: string): string[] {
  const wrong: string[] = []
  const met = new Set<string>()
  for (const [, name = '', matchers = ''] of expr.matchAll(
    /\b((?:evenkeel|process)_\w+|up)\b(?:\{([^}]*)\})?/g,
  )) {
    const labels = known.get(name)
    if (labels === undefined) wrong.push(`there is no metric ${name}: ${expr}`)
    for (const label of labels ?? []) met.add(label)
    for (const [, label = ''] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)) {
      if (labels?.includes(label) === false) wrong.push(`${name} has no label ${label}: ${expr}`)
    }
  }
  if (met.size === 0 && !wrong.length) wrong.push(`no metric is asked for: ${expr}`)
  for (const [, list = ''] of expr.matchAll(/\b(?:by|on|group_left)\s*\(([^)]*)\)/g)) {
    for (const label of list.split(',').map((one) => one.trim())) {
      if (!met.has(label)) wrong.push(`nothing there has the label ${label}: ${expr}`)
    }
  }
  return wrong
}

describe('dashboards', () => {
  test('deploy/grafana is what scripts/grafana says: `npm run grafana` writes it', async () => {
    const files = await readdir(new URL('grafana/', DEPLOY))
    const names = dashboards.map(({ uid }) => `${uid.replace('evenkeel-', '')}.json`)
    expect(files.sort()).toEqual([...names].sort())
    for (const [i, dashboard] of dashboards.entries()) {
      const text = await readFile(new URL(`grafana/${names[i]}`, DEPLOY), 'utf8')
      expect(text, names[i]).toBe(dashboardJson(dashboard))
    }
  })

  test('each panel, choice and annotation asks for metrics and labels that members export', () => {
    for (const dashboard of dashboards) {
      const queries = queriesIn(dashboardJson(dashboard))
      expect(queries.length, dashboard.uid).toBeGreaterThan(8)
      expect(queries.flatMap(({ expr }) => strangersIn(expr))).toEqual([])
      const titles = queries.map(({ title }) => title)
      expect(
        titles.every((title) => title !== ''),
        dashboard.uid,
      ).toBe(true)
    }
  })

  test('a name that no member exports, and a label that it does not have, are found', () => {
    expect(strangersIn('rate(evenkeel_io_seconds[1m])')).toHaveLength(1)
    expect(strangersIn('evenkeel_sessions{volume="v"}')).toHaveLength(1)
    expect(strangersIn('sum by (volume) (evenkeel_sessions)')).toHaveLength(1)
    expect(strangersIn('vector(1)')).toHaveLength(1)
    expect(strangersIn('sum by (job, member) (up * on (job, instance) evenkeel_sessions)')).toEqual(
      [],
    )
  })
})

describe('alerts', () => {
  interface Rule {
    readonly alert: string
    readonly expr: string
    readonly labels: { readonly severity: string }
    readonly annotations: { readonly summary: string; readonly description: string }
  }
  interface RuleTests {
    readonly tests: readonly {
      readonly input_series: readonly { readonly series: string }[]
      readonly alert_rule_test: readonly { readonly alertname: string }[]
    }[]
  }
  let rules: readonly Rule[]
  let tests: RuleTests['tests']

  beforeAll(async () => {
    const read = async (name: string) => parse(await readFile(new URL(name, DEPLOY), 'utf8'))
    const { groups } = (await read('prometheus/alerts.yaml')) as { groups: { rules: Rule[] }[] }
    rules = groups.flatMap((group) => group.rules)
    tests = ((await read('prometheus/alerts.test.yaml')) as RuleTests).tests
  })

  test('each health code has one, and a code that has none is told by another', () => {
    const codes = rules.flatMap(({ expr }) => /code="(\w+)"/.exec(expr)?.[1] ?? [])
    expect(codes.sort()).toEqual([...healthCode.options].sort())
    const rest = rules.map(({ expr }) => /code!~"([A-Z_|]+)"/.exec(expr)?.[1]?.split('|'))
    expect(rest.flatMap((one) => one ?? []).sort()).toEqual([...healthCode.options].sort())
  })

  test('each asks for metrics and labels that members export, and says what is wrong and what to do', () => {
    expect(rules.length).toBeGreaterThan(healthCode.options.length)
    for (const { alert, expr, labels, annotations } of rules) {
      expect(strangersIn(expr), alert).toEqual([])
      expect(alert).toMatch(/^Evenkeel[A-Z]/)
      expect(labels.severity, alert).toMatch(/critical|warning/)
      expect(annotations.summary.length, alert).toBeGreaterThan(10)
      expect(annotations.description.length, alert).toBeGreaterThan(10)
    }
  })

  test('their tests are of series that members export, and of rules that there are', () => {
    const series = tests.flatMap((one) => one.input_series.map((input) => input.series))
    expect(series.length).toBeGreaterThan(15)
    expect(series.flatMap(strangersIn)).toEqual([])
    const names = new Set(rules.map(({ alert }) => alert))
    const tested = tests.flatMap((one) => one.alert_rule_test.map(({ alertname }) => alertname))
    expect(tested.filter((name) => !names.has(name))).toEqual([])
  })
})
