import { expect, expectTypeOf, test } from 'vitest'
import { type SessionId, sessionId } from './ids.ts'

// The compiler holds what is said of types (npm run check).
test('a number becomes an id only by name', () => {
  expectTypeOf<number>().not.toExtend<SessionId>()
  expectTypeOf(sessionId(1)).toEqualTypeOf<SessionId>()
  expectTypeOf<SessionId>().toExtend<number>()
  expect(sessionId(1)).toBe(1)
})
