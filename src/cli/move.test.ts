import { expect, it } from 'vitest'
import type { Move } from '../api/schema.ts'
import { sentenceAbout } from './move.ts'

const move: Move = {
  ...{ id: 'v', session: '17', volume: 'vol1', initiator: 'i', from: 'm1', to: 'm2' },
  ...{ by: 'operator', code: 'MOVED', reason: 'moved by the operator', predicted: null },
  ...{ observed: null, drainMs: null, pauseMs: null, resent: null, outcome: null, cause: null },
  at: '2026-11-24T00:00:00.000Z',
}

it('a move that came to nothing says why', () => {
  expect(sentenceAbout({ ...move, outcome: 'lost', cause: 'its initiator logged out' })).toBe(
    'The move of session 17 from m1 to m2 came to nothing: its initiator logged out.',
  )
  const cause = 'the initiator did not fall silent in time'
  expect(sentenceAbout({ ...move, outcome: 'abandoned', cause })).toBe(
    `Session 17 stayed on m1 and goes on as before. The move was given up: ${cause}.`,
  )
  expect(sentenceAbout({ ...move, outcome: 'lost' })).toBe(
    'The move of session 17 from m1 to m2 came to nothing.',
  )
})
