import { expect, it } from 'vitest'
import { generation, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { copyOperation, noOperation, type Operation } from './operation.ts'

it('O1 every field is copied', () => {
  const from: Operation = {
    ...{ volume: volumeId(1), slice: sliceId(2), offset: 3, bytes: 4 },
    ...{ session: sessionId(5), gen: generation(6), number: 7, acknowledged: 8 },
  }
  const into = { ...noOperation }
  copyOperation(from, into)
  expect(into).toEqual(from)
})
