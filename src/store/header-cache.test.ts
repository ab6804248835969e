import { expect, it } from 'vitest'
import { SLICE } from '../../test/kit/store-world.ts'
import { volumeId } from '../base/ids.ts'
import { HeaderCache } from './header-cache.ts'
import { PageTable } from './page-table.ts'

const PAGES = 2_000

it('HC2 what is cold for good costs a few waits, however much of it had been believed', () => {
  const table = new PageTable()
  const cache = new HeaderCache(table, PAGES + 2)
  const content = {
    ...{ present: new Uint32Array(8).fill(0xffffffff), damaged: new Uint32Array(8) },
    checksums: new Uint32Array(256),
  }
  const places = Array.from({ length: PAGES }, (_, page) => {
    const place = cache.put(table.entryFor(volumeId(1), page, SLICE), content, 0)
    cache.use(place)
    cache.believe(place, 0, 255)
    return place
  })
  // All of it has left the page cache: each read that is done at once waits.
  let waits = 0
  for (let pass = 0; pass < 2; pass += 1) {
    for (const place of places.toReversed()) {
      cache.use(place)
      if (!cache.isHot(place, pass)) continue
      waits += 1
      cache.doubt(place)
    }
  }
  expect(waits).toBeGreaterThan(1)
  expect(waits).toBeLessThan(12)
})
