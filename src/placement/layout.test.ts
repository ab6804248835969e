import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type MemberId, memberId } from '../base/ids.ts'
import { type Bearer, equalBearers, type Layout, layOut } from './layout.ts'
import { partsOf, relocationsBetween, unevenness } from './relocations.ts'

const SLICES = 1024

function membersOf(count: number): readonly MemberId[] {
  return Array.from({ length: count }, (_, i) => memberId(`m${i + 1}`))
}

function anew(bearers: readonly Bearer[], copies: number, slices = SLICES): Layout {
  return layOut(
    Array.from({ length: slices }, () => []),
    bearers,
    copies,
  )
}

function countsOf(layout: Layout, members: readonly MemberId[]) {
  const parts = [...partsOf(layout, members).values()]
  return { copies: parts.map(({ copies }) => copies), primaries: parts.map((one) => one.primaries) }
}

/** The least that the largest can be, of so many things. */
const leastMost = (things: number, members: number) => Math.ceil(things / members)

describe('a layout', () => {
  const shapes = [3, 4, 5, 7, 8, 16, 31, 32].flatMap((members) =>
    [1, 2, 3].map((copies) => ({ members, copies })),
  )

  it.each(shapes)(
    'PL3 PL4 is level: $copies copies over $members members',
    ({ members, copies }) => {
      const ids = membersOf(members)
      const counts = countsOf(anew(equalBearers(ids), copies), ids)
      expect(Math.max(...counts.copies)).toBe(leastMost(SLICES * copies, members))
      expect(Math.max(...counts.primaries)).toBe(leastMost(SLICES, members))
    },
  )

  it('PL2 PL3 PL4 of any shape has its copies apart, and no member above its share', () => {
    const shape = fc.record({
      members: fc.integer({ min: 1, max: 9 }),
      domains: fc.integer({ min: 1, max: 9 }),
      copies: fc.integer({ min: 1, max: 3 }),
      slices: fc.integer({ min: 1, max: 60 }),
      weights: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 9, maxLength: 9 }),
    })
    fc.assert(
      fc.property(shape, ({ members, domains, copies, slices, weights }) => {
        const bearers = membersOf(members).map((id, i) => ({
          ...{ id, domain: `d${i % domains}` },
          weight: i === 0 ? 1 : (weights[i] ?? 0),
        }))
        const taking = bearers.filter(({ weight }) => weight > 0)
        const there = new Set(taking.map(({ domain }) => domain)).size
        const layout = anew(bearers, copies, slices)
        for (const row of layout) {
          expect(row).toHaveLength(Math.min(copies, there))
          expect(new Set(row.map((id) => domainOf(bearers, id))).size).toBe(row.length)
        }
        const isPlain = there === taking.length && taking.every(({ weight }) => weight === 1)
        if (!isPlain) return
        const ids = taking.map(({ id }) => id)
        const counts = countsOf(layout, ids)
        expect(Math.max(...counts.copies)).toBe(
          leastMost(slices * Math.min(copies, there), ids.length),
        )
        expect(Math.max(...counts.primaries)).toBe(leastMost(slices, ids.length))
      }),
    )
  })

  it('PL3 goes by weight, up to a copy of every slice', () => {
    const bearers = [4, 2, 1, 1].map((weight, i) => ({
      ...{ id: memberId(`m${i + 1}`), domain: `m${i + 1}`, weight },
    }))
    const ids = bearers.map(({ id }) => id)
    expect(countsOf(anew(bearers, 1, 800), ids).copies).toEqual([400, 200, 100, 100])
    const two = countsOf(anew(bearers, 2, 800), ids)
    expect(two.copies).toEqual([800, 400, 200, 200])
    expect(two.primaries).toEqual([400, 200, 100, 100])
    expect(countsOf(anew(bearers, 3, 800), ids).copies).toEqual([800, 800, 400, 400])
  })

  it('PL3 domains are level before their members are', () => {
    const bearers = ['a', 'a', 'a', 'b', 'c'].map((domain, i) => ({
      ...{ id: memberId(`m${i + 1}`), domain, weight: domain === 'a' ? 1 : 3 },
    }))
    const { copies } = countsOf(
      anew(bearers, 2, 90),
      bearers.map(({ id }) => id),
    )
    expect(copies).toEqual([20, 20, 20, 60, 60])
  })

  it('whoever loses a member rebuilds from all the others', () => {
    const ids = membersOf(16)
    const layout = anew(equalBearers(ids), 2)
    for (const lost of ids) {
      const sources = new Set(layout.filter((row) => row.includes(lost)).flat())
      expect(sources.size).toBe(16)
    }
  })

  it('is the same for the same question', () => {
    expect(anew(equalBearers(membersOf(5)), 2)).toEqual(anew(equalBearers(membersOf(5)), 2))
  })
})

function domainOf(bearers: readonly Bearer[], id: MemberId): string {
  const found = bearers.find((bearer) => bearer.id === id)
  if (found === undefined) throw new Error(`${id} is no bearer`)
  return found.domain
}

/** All are printed: they are in DESIGN.md. */
describe('a change', () => {
  const figures: string[] = []
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`

  it('PL5 a member more takes its share and nothing else moves; one less gives up what it had', () => {
    for (const [members, copies] of [
      [3, 1],
      [3, 2],
      [4, 2],
      [8, 2],
      [16, 3],
      [31, 3],
    ] as const) {
      const ids = membersOf(members + 1)
      const [old, added] = [ids.slice(0, members), ids[members]]
      const before = anew(equalBearers(old), copies)
      const after = layOut(before, equalBearers(ids), copies)
      const more = relocationsBetween(before, after)
      const share = Math.floor((SLICES * copies) / (members + 1))
      const moved = more.copies.length
      expect(moved).toBeGreaterThanOrEqual(share)
      expect(moved).toBeLessThanOrEqual(share + 1)
      expect(more.copies.every(({ from, to }) => from !== null && to === added)).toBe(true)
      const [even, evenPrimaries] = Object.values(countsOf(after, ids)).map(unevenness)
      const counts = countsOf(after, ids)
      expect(Math.max(...counts.copies)).toBe(leastMost(SLICES * copies, ids.length))
      expect(Math.max(...counts.primaries)).toBe(leastMost(SLICES, ids.length))

      const back = layOut(after, equalBearers(old), copies)
      const less = relocationsBetween(after, back)
      expect(less.copies).toHaveLength(moved)
      expect(less.copies.every(({ from }) => from === added)).toBe(true)
      expect(Math.max(...countsOf(back, old).copies)).toBe(leastMost(SLICES * copies, members))
      const ideal = copies / (members + 1) / copies
      figures.push(
        `${members} → ${members + 1} members, ${copies} copies: ${percent(moved / (SLICES * copies))} of the copies move (ideal ${percent(ideal)}), ${percent(more.primaries.length / SLICES)} of the primaries; max/mean ${even?.toFixed(3)} and ${evenPrimaries?.toFixed(3)}`,
      )
    }
    process.stdout.write(`${figures.join('\n')}\n`)
  })

  it('PL5 nothing moves of what is level already, whatever made it so', () => {
    const shape = fc.record({
      members: fc.integer({ min: 1, max: 8 }),
      copies: fc.integer({ min: 1, max: 3 }),
      rounds: fc.integer({ min: 1, max: 8 }),
    })
    fc.assert(
      fc.property(shape, ({ members, copies, rounds }) => {
        const slices = members * rounds
        const ids = membersOf(members)
        const bearers = equalBearers(ids)
        const dealt = Array.from({ length: slices }, (_, slice) =>
          Array.from({ length: Math.min(copies, members) }, (__, copy) => {
            const id = ids[(slice + copy) % members]
            return id === undefined ? [] : [id]
          }).flat(),
        )
        expect(layOut(dealt, bearers, copies)).toEqual(dealt)
      }),
    )
  })

  it('PL5 moves stay few through any coming and going', () => {
    const change = fc.integer({ min: 0, max: 9 })
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 3 }),
        (steps, copies) => {
          let there = new Set(membersOf(4))
          let layout = anew(equalBearers([...there]), copies, 96)
          for (const step of steps) {
            const id = memberId(`m${step + 1}`)
            const now = new Set(there)
            if (!now.delete(id)) now.add(id)
            if (now.size < copies) continue
            const ids = [...now]
            const next = layOut(layout, equalBearers(ids), copies)
            const { copies: moved } = relocationsBetween(layout, next)
            const least = now.has(id)
              ? Math.ceil((96 * copies) / now.size)
              : (partsOf(layout, [id]).get(id)?.copies ?? 0)
            expect(moved.length).toBeLessThanOrEqual(least)
            expect(Math.max(...countsOf(next, ids).copies)).toBe(leastMost(96 * copies, ids.length))
            layout = next
            there = now
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('PL5 a member that takes none gives up all that it has', () => {
    const ids = membersOf(4)
    const before = anew(equalBearers(ids), 2)
    const drained = equalBearers(ids).map((bearer, i) => ({ ...bearer, weight: i === 0 ? 0 : 1 }))
    const after = layOut(before, drained, 2)
    expect(partsOf(after, ids).get(memberId('m1'))).toEqual({ copies: 0, primaries: 0 })
    const { copies } = relocationsBetween(before, after)
    expect(copies).toHaveLength(512)
  })

  it('PL6 what two have nothing to pass between them goes through a third', () => {
    const [m1, m2, m3, m4] = ['m1', 'm2', 'm3', 'm4'].map(memberId) as [MemberId, ...MemberId[]]
    // Level but for the primaries: m1 is one of two slices, m3 of none, and they have no slice in common.
    const now = [
      [m1, m2],
      [m2, m3],
      [m4, m3],
      [m1, m4],
    ] as Layout
    const then = layOut(now, equalBearers(membersOf(4)), 2)
    expect(countsOf(then, membersOf(4)).primaries).toEqual([1, 1, 1, 1])
    expect(relocationsBetween(now, then).copies).toEqual([])
    expect(relocationsBetween(now, then).primaries).toHaveLength(2)
  })
})

it('relocations say which copy is made for which, and whose part is handed over', () => {
  const [m1, m2, m3] = [memberId('m1'), memberId('m2'), memberId('m3')]
  expect(relocationsBetween([[m1, m2], [m1], [m1, m2]], [[m2, m3], [m1, m3], [m1]])).toEqual({
    copies: [
      { slice: 0, from: m1, to: m3 },
      { slice: 1, from: null, to: m3 },
      { slice: 2, from: m2, to: null },
    ],
    primaries: [{ slice: 0, from: m1, to: m2 }],
  })
})
