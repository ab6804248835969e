// The rules of each room are taken out one by one, and each time something notices. Beside group.test.ts, so that both cores have
// work to the end.
import { readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { runRoom } from './mutations/apply.ts'

/** Those of the store have a script of their own (rules.test.ts). */
const rooms = (await readdir(new URL('mutations', import.meta.url), { withFileTypes: true }))
  .filter((entry) => entry.isDirectory() && entry.name !== 'store')
  .map(({ name }) => name)

// Each begins at the seed that caught it; a change of the product moves the draws, and then a later one must.
test.each(rooms)(
  'each rule of %s that is taken out is noticed',
  { timeout: 1_200_000 },
  async (room) => {
    const runs = await runRoom(room, 'sim/run.ts', [])
    const noticed = runs.filter(({ outcome }) => outcome === 'killed')
    console.log(`${noticed.length} of ${runs.length} mutations killed`)
    const names = (some: typeof runs) => some.map(({ mutation }) => mutation.name)
    expect(names(noticed)).toEqual(names(runs))
  },
)
