// What has moved, the newest first, and why: what was foretold, what it cost, what it gained.
import type { Move } from '../../src/api/schema.ts'
import { moves, status } from './live.ts'
import { WhyItMoved } from './why.tsx'
import { figuresOf, outcomeOf, sentence, shortName } from './words.ts'

const SHOWN = 20

export function Moves() {
  const known = moves.value
  return (
    <section class="card" id="moves" aria-labelledby="moves-title">
      <header>
        <h2 id="moves-title">Moves</h2>
      </header>
      {known === null ? null : known.length === 0 ? (
        <NothingMoved />
      ) : (
        <ol class="moves">
          {known.slice(0, SHOWN).map((move) => (
            <li key={move.id}>
              <MoveStory move={move} />
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}

function NothingMoved() {
  const mode = status.value?.balance ?? 'on'
  return (
    <div class="empty">
      <p>Nothing has moved yet.</p>
      <p>
        {mode === 'off'
          ? 'Balance is off. Switch it on, and a session moves when one member carries more than it should.'
          : 'When one member carries more than another for long enough that a move pays, a session moves. Each move is told here, with its reason and its cost.'}
      </p>
    </div>
  )
}

export function MoveStory({ move }: { readonly move: Move }) {
  const { session, initiator, volume, from, to, by, reason, cause, at } = move
  return (
    <article class={`story ${move.outcome ?? 'under-way'}`}>
      <h3>
        <a href={`#session/${session}`}>{shortName(initiator)}</a> {outcomeOf(move)}{' '}
        <span class="ends">
          {from} → {to}
        </span>
      </h3>
      <p class="quiet">
        <time dateTime={at}>{new Date(at).toLocaleString()}</time>, {volume}, by {BY[by]}
      </p>
      <p>{sentence(cause === null ? reason : `${reason}. It did not: ${cause}`)}</p>
      <dl class="figures">
        {figuresOf(move).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {by === 'balance' ? <WhyItMoved move={move.id} /> : null}
    </article>
  )
}

const BY: Readonly<Record<Move['by'], string>> = {
  balance: 'the balancer',
  operator: 'an operator',
  drain: 'a drain of its member',
}
