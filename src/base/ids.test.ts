import { expect, expectTypeOf, test } from 'vitest'
import {
  type Epoch,
  epoch,
  type Generation,
  generation,
  type MemberId,
  memberId,
  type Revision,
  revision,
  type SessionId,
  type SliceId,
  sessionId,
  sliceId,
  type VolumeId,
  volumeId,
} from './ids.ts'

interface Ids {
  readonly session: SessionId
  readonly generation: Generation
  readonly volume: VolumeId
  readonly slice: SliceId
  readonly epoch: Epoch
  readonly revision: Revision
  readonly member: MemberId
}

/** Which of the others, or of plain numbers and strings, would be taken for it. */
type TakenFor = {
  [Id in keyof Ids]:
    | { [Other in Exclude<keyof Ids, Id>]: Ids[Other] extends Ids[Id] ? Other : never }[Exclude<
        keyof Ids,
        Id
      >]
    | (number extends Ids[Id] ? 'number' : never)
    | (string extends Ids[Id] ? 'string' : never)
}[keyof Ids]

// The compiler holds what is said of types (npm run check).
test('a number or a string becomes an id only by name, and no id is taken for another', () => {
  expectTypeOf<TakenFor>().toBeNever()
  expectTypeOf(sessionId(1)).toEqualTypeOf<SessionId>()
  expectTypeOf(generation(1)).toEqualTypeOf<Generation>()
  expectTypeOf(volumeId(1)).toEqualTypeOf<VolumeId>()
  expectTypeOf(sliceId(1)).toEqualTypeOf<SliceId>()
  expectTypeOf(epoch(1)).toEqualTypeOf<Epoch>()
  expectTypeOf(revision(1)).toEqualTypeOf<Revision>()
  expectTypeOf(memberId('m1')).toEqualTypeOf<MemberId>()
})

test('an id is what it was made of', () => {
  const ids = [
    sessionId(1),
    generation(2),
    volumeId(3),
    sliceId(4),
    epoch(5),
    revision(6),
    memberId('m7'),
  ]
  expect(ids).toEqual([1, 2, 3, 4, 5, 6, 'm7'])
})
