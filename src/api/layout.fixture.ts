// Slices in the tests of the API and the CLI: one copy of each, on m1 and m2, beside which m3 has none.
import { refusal } from './errors.ts'
import type { Layout, LayoutPlan, SliceCounts } from './layout-schema.ts'

export const sliceCounts: SliceCounts = {
  ...{ count: 1024, copies: 1, whole: 1024, degraded: 0, lastCopy: 0, unavailable: 0 },
}

export const copyOn = (id: string) => ({
  ...{ inSync: [id], wanted: [id], state: 'whole' as const },
})

const part = (member: string, copies: number) => ({
  ...{ member, primaries: copies, copies, missing: 0, leaving: 0 },
})
export const layout: Layout = {
  ...{ slices: sliceCounts, evenness: { copies: 1.5, primaries: 1.5 } },
  underWay: { copies: 0, leaving: 0, primaries: 0 },
  members: [part('m1', 512), part('m2', 512), part('m3', 0)],
}

export const layoutPlan: LayoutPlan = {
  ...{ wanted: 1, copies: 341, bytes: 3 * 1024 ** 3, primaries: 341 },
  underWay: layout.underWay,
  evenness: { before: layout.evenness, after: { copies: 1.002, primaries: 1.002 } },
  members: [
    { member: 'm1', gives: 171, takes: 0, copies: 341, primaries: 341 },
    { member: 'm2', gives: 170, takes: 0, copies: 342, primaries: 342 },
    { member: 'm3', gives: 0, takes: 341, copies: 341, primaries: 341 },
  ],
  moves: [
    { slice: 4, from: 'm1', to: 'm3' },
    { slice: 5, from: 'm2', to: 'm3' },
  ],
}

export const layoutOrdered: LayoutPlan = {
  ...layoutPlan,
  underWay: { copies: 341, leaving: 341, primaries: 341 },
}

export const tooFew = (copies: number) =>
  refusal('tooFewMembers', `${copies} copies need as many members`)
