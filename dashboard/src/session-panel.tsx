// One session: where it is and why, what it does, what was decided about it, and its moves.

import type { SessionDetail } from '../../src/api/schema.ts'
import { formatAge, formatMs, formatPercent, formatRate } from '../../src/base/figures.ts'
import { sentenceOf } from './api.ts'
import { useAsked } from './asked.ts'
import { MoveStory } from './moves.tsx'
import { SessionMove } from './session-move.tsx'
import { SessionPin } from './session-pin.tsx'
import { WhyItStays } from './why.tsx'
import { shortName, unbroken } from './words.ts'

export function SessionPanel({ id }: { readonly id: string }) {
  const { answer, refused } = useAsked<SessionDetail>(`/api/v1/sessions/${encodeURIComponent(id)}`)
  const session = answer.value
  if (refused.value !== null) return <p class="refused">{sentenceOf(refused.value)}</p>
  if (session === null) return <p>Asking …</p>
  const { initiator, member, why, moves } = session
  return (
    <>
      <h2>{shortName(initiator)}</h2>
      <p class="quiet">
        Session {id}, on {member}
      </p>
      <p>{unbroken(why)}</p>
      <WhyItStays session={id} member={member} />
      <Facts session={session} />
      {session.pinned === null ? <SessionMove session={session} /> : null}
      <SessionPin session={session} />
      <h3>Its moves</h3>
      {moves.length === 0 ? (
        <p class="quiet">It has not moved.</p>
      ) : (
        <ol class="moves">
          {moves.map((move) => (
            <li key={move.id}>
              <MoveStory move={move} />
            </li>
          ))}
        </ol>
      )}
    </>
  )
}

function Facts({ session }: { readonly session: SessionDetail }) {
  const { iops, bytesPerSecond, latencyMs, queueDepth, load, forwardedShare } = session
  const rows = [
    [
      'Volume',
      <a key="volume" href={`#volume/${session.volume}`}>
        {session.volume}
      </a>,
    ],
    ['State', session.state],
    ['Commands', `${iops.toFixed(0)}/s, ${formatRate(bytesPerSecond)}`],
    ['Latency', `${formatMs(latencyMs)}, ${queueDepth.toFixed(1)} waiting`],
    ['CPU', load === null ? 'not known yet' : `${formatPercent(load)} of a core`],
    ['Forwarded', `${formatPercent(forwardedShare)} is held by other members`],
    [
      'Connected',
      `for ${formatAge(Date.now() - Date.parse(session.since))}, from ${session.source}`,
    ],
    ['Initiator', <code key="name">{session.initiator}</code>],
    ['ISID', <code key="isid">{session.isid}</code>],
  ] as const
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
