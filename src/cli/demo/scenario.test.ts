import { expect, test } from 'vitest'
import { fig5, type Scenario, unequal } from './scenario.ts'

/**
 * Every move of one client, the best first, as members see it whose prices are `off` by a factor: what differs between members
 * is measured, what a client costs is priced. By how much the squares of the loads would fall.
 */
function movesBySaving({ clients }: Scenario, off: number) {
  const loadOf = (at: number) =>
    clients.reduce((sum, { member, units }) => sum + (member === at ? units : 0), 0)
  const moves = clients.flatMap(({ member, units }, client) =>
    [0, 1, 2]
      .filter((to) => to !== member)
      .map((to) => {
        const priced = units * off
        return { client, to, saving: priced * (loadOf(member) - loadOf(to) - priced) }
      }),
  )
  return moves.toSorted((a, b) => b.saving - a.saving)
}

test.each([0.75, 1, 2, 2.9])('unequal: the mover is the best one with prices off by %f', (off) => {
  const [best] = movesBySaving(unequal, off)
  expect(best).toMatchObject({ client: unequal.mover, to: 1 })
  expect(best?.saving).toBeGreaterThan(0)
})

test.each([0.3, 1, 2.9])(
  'fig5: a client of m1 to m2 is the best one with prices off by %f',
  (off) => {
    const [best] = movesBySaving(fig5, off)
    expect(best?.to).toBe(1)
    expect(fig5.clients[best?.client ?? -1]?.member).toBe(0)
    expect(best?.saving).toBeGreaterThan(0)
  },
)
