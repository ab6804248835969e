import { expect, expectTypeOf, test } from 'vitest'
import { type Generation, generation, type SessionId, sessionId } from './ids.ts'

/** `true` where one could be given for the other. */
type Mistaken<A, B> = [A] extends [B] ? true : [B] extends [A] ? true : false

// The compiler holds what is said of types (npm run check).
test('a number becomes an id only by name', () => {
  expectTypeOf(sessionId(1)).toEqualTypeOf<SessionId>()
  expectTypeOf(generation(1)).toEqualTypeOf<Generation>()
  expectTypeOf<number>().not.toExtend<SessionId>()
  expectTypeOf<number>().not.toExtend<Generation>()
  expect([sessionId(1), generation(2)]).toEqual([1, 2])
})

test('no id is taken for another', () => {
  expectTypeOf<Mistaken<SessionId, Generation>>().toEqualTypeOf<false>()
})
