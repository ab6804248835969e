import fc from 'fast-check'
import { expect, it } from 'vitest'
import { epoch, generation, memberId, sessionId, volumeId } from '../base/ids.ts'
import type { PageVersion } from '../store/pages.ts'
import { type Listing, planAlignment, planLearning } from './alignment.ts'
import { unitedOperations } from './united-operations.ts'

const [b, c] = [memberId('b'), memberId('c')]

function version(page: number, seq: number, isTombstone = false): PageVersion {
  return { volume: volumeId(1), page, stamp: { epoch: epoch(2), seq }, isTombstone }
}

function listing(pages: readonly PageVersion[], folded: number | null = null): Listing {
  return { pages, folded: folded === null ? null : { epoch: epoch(2), seq: folded } }
}

/** What each has of a page: its stamp, or that it is empty. */
function stateOf({ pages }: Listing): Map<number, string> {
  return new Map(
    pages.filter((one) => !one.isTombstone).map(({ page, stamp }) => [page, `${stamp.seq}`]),
  )
}

const pages = fc.uniqueArray(fc.record({ page: fc.nat(5), seq: fc.integer({ min: 1, max: 6 }) }), {
  selector: ({ page }) => page,
})

it('R7 of each page the newest version wins, at the primary and at every copy', () => {
  fc.assert(
    fc.property(pages, pages, pages, (...members) => {
      // A stamp says what a page holds: members differ by what they have not heard of yet.
      const listings = members.map((all) =>
        listing(all.map(({ page, seq }) => version(page, seq, seq % 2 === 0))),
      )
      const [own = listing([]), ofB = own, ofC = own] = listings
      const plans = planAlignment(
        own,
        new Map([
          [b, ofB],
          [c, ofC],
        ]),
      )
      const states = listings.map(stateOf)
      for (const { page, from, stamp, isEmpty, to } of plans) {
        const told = [...(from === null ? [] : [0]), ...to.map((member) => (member === b ? 1 : 2))]
        for (const at of told)
          if (isEmpty) states[at]?.delete(page)
          else states[at]?.set(page, `${stamp.seq}`)
      }
      for (const state of states) expect(state).toEqual(states[0])
      for (let page = 0; page < 6; page += 1) {
        const seqs = listings.flatMap((one) => one.pages.filter((at) => at.page === page))
        const newest = seqs.toSorted((one, other) => other.stamp.seq - one.stamp.seq)[0]
        const expected = newest?.isTombstone === false ? `${newest.stamp.seq}` : undefined
        expect(states[0]?.get(page)).toBe(expected)
      }
    }),
  )
})

it('AL1 a page that is not listed is as old as what was folded away there, and two empty ones are equal', () => {
  const own = listing([version(0, 3), version(1, 9)], null)
  const folded = listing([], 5)
  const plans = planAlignment(own, new Map([[b, folded]]))
  expect(plans).toMatchObject([
    { page: 0, isEmpty: true, from: b, to: [] },
    { page: 1, isEmpty: false, from: null, to: [b], stamp: { seq: 9 } },
  ])
  expect(planAlignment(listing([version(0, 3, true)]), new Map([[b, folded]]))).toEqual([])
})

it('R8 at a learner the state of the primary wins, also over higher stamps', () => {
  const own = listing([version(0, 3), version(1, 4), version(2, 5, true)])
  const learner = listing([version(0, 9), version(1, 4), version(2, 9), version(3, 9)])
  const plans = planLearning(own, learner, b)
  expect(plans.map(({ page, isEmpty, to }) => [page, isEmpty, to])).toEqual([
    [0, false, [b]],
    [2, true, [b]],
    [3, true, [b]],
  ])
})

it('R10 operations of several members are united: the newest generation, the furthest acknowledged, all numbers above', () => {
  const of = (session: number, gen: number, upTo: number, numbers: readonly number[]) => ({
    ...{ session: sessionId(session), gen: generation(gen), upTo, numbers },
  })
  const united = unitedOperations([
    [of(1, 2, 3, [5, 7]), of(2, 1, 0, [1])],
    [of(1, 2, 5, [6]), of(2, 2, 0, [4]), of(3, 1, 0, [])],
  ])
  expect(united).toEqual([of(1, 2, 5, [6, 7]), of(2, 2, 0, [4]), of(3, 1, 0, [])])
})
