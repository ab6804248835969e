// Outcomes as they travel between members: the table of peer/message.ts in the volume's words, both ways.
import { assert } from '../base/assert.ts'
import { answerStatus } from '../peer/message.ts'
import type { Answer } from '../peer/responder.ts'
import type { CompareOutcome, Outcome, Stale } from './outcome.ts'

const outcomes: ReadonlyMap<number, Outcome> = new Map([
  [answerStatus.done, 'done'],
  [answerStatus.refused, 'refused'],
  [answerStatus.full, 'full'],
  [answerStatus.damaged, 'damaged'],
  [answerStatus.gone, 'gone'],
])

export function outcomeOf(status: number, offset: number): CompareOutcome {
  if (status === answerStatus.miscompare) return { kind: 'miscompare', offset }
  const outcome = outcomes.get(status)
  assert(outcome !== undefined, 'a link passes on known statuses only')
  return outcome
}

export function answerOf(outcome: CompareOutcome | Stale): Answer {
  if (typeof outcome === 'string') return { status: answerStatus[outcome] }
  return { status: answerStatus.miscompare, offset: outcome.offset }
}
