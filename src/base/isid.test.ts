import { expect, it } from 'vitest'
import { isRandomIsid } from './isid.ts'

it('the random kind is told by the two highest bits of the first byte', () => {
  const kinds = ['00', '3f', '40', '7f', '80', 'bf', 'c0', 'ff'].map((byte) =>
    isRandomIsid(`${byte}0000000000`),
  )
  expect(kinds).toEqual([false, false, false, false, true, true, false, false])
})
