import { expect, test } from 'vitest'
import { generation, memberId, sessionId, volumeId } from '../base/ids.ts'
import { SessionCounters } from '../load/counters.ts'
import type { TargetEvent } from '../target/target-event.ts'
import { lineOf } from './log-lines.ts'

const initiator = 'iqn.2005-03.org.example:host'
const source = '192.0.2.7'
const session = sessionId(42)
const counters = new SessionCounters()
const nameOf = (id: number) => (id === 4 ? 'mail' : `volume ${id}`)

test.each<[TargetEvent, RegExp]>([
  [
    {
      kind: 'login',
      session,
      initiator,
      source,
      volume: volumeId(4),
      why: 'new',
      gen: generation(1),
    },
    /^iqn\S+ at 192\.0\.2\.7 logged in to mail: session 42, new$/,
  ],
  [
    { kind: 'end', session, initiator, source, volume: volumeId(4), reason: 'silent', counters },
    /^session 42 of iqn\S+ at 192\.0\.2\.7 on mail ended: its initiator gave no sign of life/,
  ],
  [
    { kind: 'redirect', initiator, source, to: memberId('m2'), why: 'owner' },
    /192\.0\.2\.7 was sent to m2/,
  ],
  [{ kind: 'reject', initiator, source, reason: 'no CHAP' }, /192\.0\.2\.7 was refused: no CHAP$/],
  [{ kind: 'barrier', session, initiator, owner: memberId('m3') }, /^m3 did not say .* session 42/],
  [
    {
      kind: 'move',
      move: 'x',
      session,
      to: memberId('m2'),
      end: { kind: 'denied', reason: 'BUSY' },
    },
    /^the move of session 42 to m2 was not begun: BUSY$/,
  ],
  [
    {
      kind: 'move',
      move: 'x',
      session,
      to: memberId('m2'),
      end: { kind: 'lost', reason: 'it left' },
    },
    /^the move of session 42 to m2 came to nothing: it left$/,
  ],
])('$0.kind is a sentence with names, and fields without counters', (event, says) => {
  const { sentence, fields, event: kind } = lineOf(event, nameOf)
  expect(kind).toBe(event.kind)
  expect(sentence).toMatch(says)
  expect(fields).not.toHaveProperty('counters')
  if ('volume' in event) expect(fields['volume']).toBe('mail')
})
