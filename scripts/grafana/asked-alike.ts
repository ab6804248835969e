// What several dashboards show, and how they ask for it.
import type { Panel, Query } from './panels.ts'

/** Of the group that is chosen. */
export const of = (more = '') => `{job="$job"${more === '' ? '' : `, ${more}`}}`
export const MEMBER = 'member=~"$member"'
export const VOLUME = 'volume=~"$volume"'

export const rate = (name: string, more = '') => `rate(${name}${of(more)}[$__rate_interval])`
export const sumRate = (by: string, name: string, more = '') =>
  `sum by (${by}) (${rate(name, more)})`

export function quantiles(
  histogram: string,
  by: readonly string[],
  more: string,
  legend: string,
): Query[] {
  const parts = ['le', ...by].join(', ')
  return [0.5, 0.99].map((q) => [
    `histogram_quantile(${q}, sum by (${parts}) (${rate(`${histogram}_bucket`, more)}))`,
    `p${q * 100} ${legend}`.trim(),
  ])
}

export const good = { '1': ['yes', 'green'], '0': ['no', 'red'] } as const

export const problems: Panel = {
  title: 'What is wrong',
  about: 'Health codes, as `evenkeel status` tells them; docs/OPERATING.md says what each means.',
  ...{ kind: 'table', unit: '' },
  queries: [[`max by (code, severity, subject) (evenkeel_problem${of()})`, '']],
}
export const load: Panel = {
  title: 'Who is hot: load over capacity',
  about:
    'By which moves are decided. Lines far apart for minutes: see the moves, and why none is made.',
  ...{ kind: 'lines', unit: 'percentunit', warn: [0.8, 1] },
  queries: [[`max by (member) (evenkeel_member_load_ratio${of()})`, '{{member}}']],
}
export const sessions: Panel = {
  title: 'Sessions by member',
  about: 'A move takes one from a line to another.',
  ...{ kind: 'lines', unit: 'short' },
  queries: [[`sum by (member) (evenkeel_sessions${of()})`, '{{member}}']],
}
export const moved: Panel = {
  title: 'Moves',
  about: 'From where, to where, and who wanted it: the balance, an operator, or a drain.',
  ...{ kind: 'bars', unit: 'short' },
  queries: [
    [
      `sum by (from, to, reason) (increase(evenkeel_session_moves_total${of()}[$__rate_interval])) > 0`,
      '{{from}} → {{to}} ({{reason}})',
    ],
  ],
}
export const states: Panel = {
  title: 'Members',
  about: 'Green: up. Orange: draining. Red: silent to all others.',
  ...{ kind: 'states', unit: '', warn: [1, 2] },
  queries: [
    [
      `min by (member) (evenkeel_member_state${of('state="draining"')} + on (job, instance, member) (2 * evenkeel_member_state${of('state="silent"')}))`,
      '{{member}}',
    ],
  ],
}
export const number = (title: string, about: string, expr: string, unit = 'short'): Panel => ({
  ...{ title, about, kind: 'number', unit },
  queries: [[expr, '']],
})
