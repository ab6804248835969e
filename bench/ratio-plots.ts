// Which ratios are drawn.
import { mainWorks } from './cases.ts'
import type { Results } from './figures.ts'
import { type Mark, type Panel, ratioPlot } from './plots.ts'
import { copiesPairs, judged, OURS, pairs, peerOf } from './results.ts'
import type { FigureName } from './rounds.ts'

const panel = (figure: FigureName, marks: readonly Mark[]): Panel => ({
  title: `${judged.find((one) => one.figure === figure)?.name ?? figure} ×`,
  isMoreBetter: figure === 'iops',
  marks,
})

/** Works that are given to a session of a group; the first series is local, and has every row. */
export function besidePlot(results: Results, beside: string): string {
  const loads = pairs(results, beside)
    .filter(({ where }) => where === 'local' || where === 'forwarded')
    .toSorted((one, other) => Number(one.where !== 'local') - Number(other.where !== 'local'))
  const panels = judged.map(({ figure }) =>
    panel(
      figure,
      loads.flatMap(({ name, system, peer, where }) => {
        const spread = results.ratio(name, figure, system, peer)
        return spread === null ? [] : [{ row: name, series: where, spread }]
      }),
    ),
  )
  return ratioPlot(`${OURS}: multiples of its commit ${beside}`, panels)
}

export function tgtPlot(results: Results): string {
  const panels = judged.map(({ figure }) =>
    panel(
      figure,
      ['local', 'forwarded'].flatMap((where) =>
        mainWorks.flatMap(({ name }) => {
          const spread = results.ratio(name, figure, `${OURS}, ${where}`, peerOf(name))
          return spread === null ? [] : [{ row: name, series: where, spread }]
        }),
      ),
    ),
  )
  return ratioPlot(`${OURS}: multiples of tgt (writes: in write-through mode)`, panels)
}

export function copiesPlot(results: Results): string {
  const pairs = copiesPairs(results)
  const panels = judged.map(({ figure }) =>
    panel(
      figure,
      pairs.flatMap(({ row, series, case: name, system, peer }) => {
        const spread = results.ratio(name, figure, system, peer)
        return spread === null ? [] : [{ row, series, spread }]
      }),
    ),
  )
  return ratioPlot(`${OURS}, two copies: multiples of one copy`, panels)
}
