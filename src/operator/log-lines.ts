// What a member's log says of its sessions, as sentences with names instead of numbers.
import type { VolumeId } from '../base/ids.ts'
import { whyEnded } from '../target/live-session.ts'
import type { MoveEnd } from '../target/move-order.ts'
import type { TargetEvent } from '../target/target-event.ts'
import type { LogFields } from './log.ts'

export interface Line {
  readonly event: TargetEvent['kind']
  readonly sentence: string
  readonly fields: LogFields
}

const logins: Readonly<Record<string, string>> = {
  new: 'new',
  returned: 'back from a move',
  reclaimed: 'taken back from a move',
  revived: 'back after its connection was lost',
  reinstated: 'in place of its older connection',
}

export function lineOf(event: TargetEvent, nameOf: (volume: VolumeId) => string): Line {
  const { kind } = event
  switch (event.kind) {
    case 'login': {
      const { session, initiator, source, why, gen } = event
      const volume = nameOf(event.volume)
      const sentence = `${initiator} at ${source} logged in to ${volume}: session ${session}, ${logins[why] ?? why}`
      return { event: kind, sentence, fields: { session, initiator, source, volume, why, gen } }
    }
    case 'end': {
      const { session, initiator, source, reason } = event
      const volume = nameOf(event.volume)
      const sentence = `session ${session} of ${initiator} at ${source} on ${volume} ended: ${whyEnded[reason]}`
      return { event: kind, sentence, fields: { session, initiator, source, volume, reason } }
    }
    case 'redirect': {
      const { initiator, source, to, why } = event
      const sentence = `the login of ${initiator} at ${source} was sent to ${to}: ${why}`
      return { event: kind, sentence, fields: { initiator, source, to, why } }
    }
    case 'reject': {
      const { initiator, source, reason } = event
      const sentence = `the login or session of ${initiator} at ${source} was refused: ${reason}`
      return { event: kind, sentence, fields: { initiator, source, reason } }
    }
    case 'malformed': {
      const { from, of, why } = event
      const sentence = `${from} sent a ${of} that cannot be read, and that has no effect: ${why}`
      return { event: kind, sentence, fields: { from, of, why } }
    }
    case 'barrier': {
      const { session, initiator, owner } = event
      const sentence = `${owner} did not say whether session ${session} of ${initiator} has ended: the login waited for its commands`
      return { event: kind, sentence, fields: { session, initiator, owner } }
    }
    case 'stand-in': {
      const { member, portal, is } = event
      const sentence =
        is === 'begun'
          ? `answers at ${portal}, the portal of ${member}, which is away`
          : `answers at ${portal} no more: it is the portal of ${member} again`
      return { event: kind, sentence, fields: { member, portal, is } }
    }
    case 'portal': {
      const { portal, by, why } = event
      const sentence = `waits for its portal ${portal}, at which ${by} answered while this member was away, and which it does not give back (${why}); meanwhile pages are served, and no sessions. See whether ${by} stands still, and whether another program has the port`
      return { event: kind, sentence, fields: { portal, by, why } }
    }
    case 'move': {
      const { move, session, to, end } = event
      const sentence = `the move of session ${session} to ${to} ${howItEnded(end)}`
      return { event: kind, sentence, fields: { move, session, to, end } }
    }
  }
}

function howItEnded(end: MoveEnd): string {
  switch (end.kind) {
    case 'committed':
      return `is decided: drained in ${Math.round(end.drainMs)} ms, its initiator was asked to log in there`
    case 'denied':
    case 'not begun':
      return `was not begun: ${end.reason}`
    case 'abandoned':
      return `was given up: ${end.reason}`
    case 'lost':
      return `came to nothing: ${end.reason}`
  }
}
