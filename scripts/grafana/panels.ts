// Panels and dashboards as Grafana's JSON model has them, from what a person would say of them.

const WIDTH = 24
const SOURCE = { type: 'prometheus', uid: '$datasource' } as const

/** A query, and what its series are called. */
export type Query = readonly [expr: string, legend: string]

export interface Panel {
  readonly title: string
  /** What it shows, and what to do about it. */
  readonly about: string
  readonly kind: 'lines' | 'bars' | 'number' | 'table' | 'states'
  readonly queries: readonly Query[]
  readonly unit: string
  /** The end of the scale, if it has one. */
  readonly most?: number
  /** Orange from the first on, red from the second. */
  readonly warn?: readonly [number, number]
  /** Of a number: what a value is called. */
  readonly names?: Readonly<Record<string, readonly [text: string, colour: string]>>
}

export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly about: string
  /** Besides the group: its members or its volumes may be chosen. */
  readonly chosen: 'member' | 'volume' | null
  readonly rows: readonly {
    readonly title: string
    readonly height: number
    readonly panels: readonly Panel[]
  }[]
}

const CHOICES = {
  member: 'label_values(evenkeel_build_info{job="$job"}, member)',
  volume: 'label_values(evenkeel_volume_held_bytes{job="$job"}, volume)',
} as const

/** Shown as lines through the time panels: what moved, from where, to where, and who wanted it. */
const MOVES =
  'sum by (from, to, reason, result) (increase(evenkeel_session_moves_total{job="$job"}[1m])) > 0'

export function dashboardJson({ uid, title, about, chosen, rows }: Dashboard): string {
  const panels: object[] = []
  let y = 0
  for (const row of rows) {
    const head = { type: 'row', title: row.title, collapsed: false, panels: [] }
    panels.push({ ...head, id: panels.length + 1, gridPos: { x: 0, y, w: WIDTH, h: 1 } })
    y += 1
    const w = Math.floor(WIDTH / row.panels.length)
    row.panels.forEach((panel, i) => {
      const gridPos = { x: i * w, y, w, h: row.height }
      panels.push({ id: panels.length + 1, gridPos, ...panelJson(panel) })
    })
    y += row.height
  }
  const dashboard = {
    ...{ uid, title, description: about, tags: ['evenkeel'], schemaVersion: 39, version: 1 },
    ...{ editable: true, graphTooltip: 1, refresh: '10s', timezone: 'browser' },
    time: { from: 'now-1h', to: 'now' },
    templating: { list: variables(chosen) },
    annotations: { list: [movesJson()] },
    links: [
      {
        type: 'dashboards',
        title: 'Evenkeel',
        tags: ['evenkeel'],
        keepTime: true,
        asDropdown: true,
      },
    ],
    panels,
  }
  return `${JSON.stringify(dashboard, null, 2)}\n`
}

function variables(chosen: Dashboard['chosen']): readonly object[] {
  const source = {
    name: 'datasource',
    label: 'Prometheus',
    type: 'datasource',
    query: 'prometheus',
  }
  const asked = (name: string, query: string) => ({
    ...{
      name,
      type: 'query',
      datasource: SOURCE,
      query: { query, refId: name },
      definition: query,
    },
    ...{ refresh: 2, sort: 3 },
  })
  const group = { ...asked('job', 'label_values(evenkeel_build_info, job)'), label: 'Group' }
  if (chosen === null) return [source, group]
  const several = { multi: true, includeAll: true, allValue: '.*' }
  return [source, group, { ...asked(chosen, CHOICES[chosen]), ...several }]
}

function movesJson(): object {
  return {
    ...{ name: 'Moves', enable: true, hide: false, iconColor: 'purple', datasource: SOURCE },
    ...{ expr: MOVES, step: '60s', titleFormat: '{{from}} → {{to}}' },
    textFormat: 'wanted by {{reason}}: {{result}}',
  }
}

const TYPES = {
  lines: 'timeseries',
  bars: 'timeseries',
  number: 'stat',
  table: 'table',
  states: 'state-timeline',
} as const

function panelJson(panel: Panel): object {
  const { title, about, kind, queries } = panel
  const isNow = kind === 'table' || kind === 'number'
  const targets = queries.map(([expr, legendFormat], i) => ({
    ...{ refId: String.fromCharCode(65 + i), datasource: SOURCE, expr, legendFormat },
    ...{ instant: isNow, range: !isNow, format: kind === 'table' ? 'table' : 'time_series' },
  }))
  const shown = { title, description: about, type: TYPES[kind], datasource: SOURCE, targets }
  return {
    ...shown,
    fieldConfig: { defaults: fieldJson(panel), overrides: [] },
    ...optionsOf(kind),
  }
}

function fieldJson({ kind, unit, most, warn, names }: Panel): object {
  const steps = [
    { color: 'green', value: null },
    ...(warn === undefined
      ? []
      : [
          { color: 'orange', value: warn[0] },
          { color: 'red', value: warn[1] },
        ]),
  ]
  const options = Object.fromEntries(
    Object.entries(names ?? {}).map(([value, [text, color]]) => [value, { text, color }]),
  )
  const bars = { drawStyle: 'bars', fillOpacity: 60, stacking: { mode: 'normal', group: 'A' } }
  const lines = { drawStyle: 'line', fillOpacity: 8, lineWidth: 2, showPoints: 'never' }
  return {
    ...(unit === '' ? {} : { unit }),
    min: 0,
    ...(most === undefined ? {} : { max: most }),
    ...(names === undefined ? {} : { mappings: [{ type: 'value', options }] }),
    thresholds: { mode: 'absolute', steps },
    color: { mode: kind === 'number' || kind === 'states' ? 'thresholds' : 'palette-classic' },
    custom: kind === 'bars' ? bars : kind === 'lines' ? lines : {},
  }
}

function optionsOf(kind: Panel['kind']): object {
  switch (kind) {
    case 'number':
      return {
        options: { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'background_solid' },
      }
    case 'table':
      // The time of the question, and the name of the group, are the same in all lines.
      return {
        options: { showHeader: true },
        transformations: [
          { id: 'organize', options: { excludeByName: { Time: true, job: true, __name__: true } } },
        ],
      }
    case 'states':
      return { options: { showValue: 'never', mergeValues: true, rowHeight: 0.8 } }
    default:
      return {
        options: {
          legend: { displayMode: 'table', placement: 'right', calcs: ['lastNotNull', 'max'] },
          tooltip: { mode: 'multi', sort: 'desc' },
        },
      }
  }
}
