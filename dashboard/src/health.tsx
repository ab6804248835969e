// What is wrong, the worst first, and what to do about it; what was wrong, where a person looks back.

import type { HealthProblem } from '../../src/api/health-schema.ts'
import type { History, PastProblem } from '../../src/api/history-schema.ts'
import { formatAge } from '../../src/base/figures.ts'
import { silentSince, status } from './live.ts'
import { history, lookedAt } from './past.ts'
import { problemsAt, timeSaid } from './time-line.ts'

export function Health() {
  const [past, place] = [history.value, lookedAt.value]
  if (past !== null && place !== null) return <HealthThen past={past} place={place} />
  const problems = status.value?.problems ?? []
  return (
    <section aria-label="Health" aria-live="polite">
      <Silence />
      {problems.length === 0 ? null : (
        <ul class="problems">
          {problems.map((problem) => (
            <Problem key={`${problem.code} ${problem.subject}`} problem={problem} />
          ))}
        </ul>
      )}
    </section>
  )
}

function HealthThen({ past, place }: { readonly past: History; readonly place: number }) {
  const problems = problemsAt(past, place)
  return (
    <section aria-label="Health">
      <Silence />
      {problems.length === 0 ? null : (
        <ul class="problems">
          {problems.map((problem) => (
            <ProblemThen
              key={`${problem.code} ${problem.subject} ${problem.from}`}
              problem={problem}
            />
          ))}
        </ul>
      )}
    </section>
  )
}

function ProblemThen({ problem }: { readonly problem: PastProblem }) {
  const { code, severity, subject, sentence, action, from, to } = problem
  const isOver = to === null ? 'not over yet' : `to ${timeSaid(Date.parse(to))}`
  return (
    <li class={`problem ${severity}`}>
      <h3>
        <span class="badge">{severity}</span> <code>{code}</code> {subject}
        <span class="quiet">
          {' '}
          from {timeSaid(Date.parse(from))} {isOver}
        </span>
      </h3>
      <p>{sentence}</p>
      {to === null ? (
        <p>
          <strong>Do:</strong> {action}
        </p>
      ) : null}
    </li>
  )
}

function Problem({ problem }: { readonly problem: HealthProblem }) {
  const { code, severity, subject, since, sentence, action, volumes, sessions } = problem
  const concerned = [
    volumes.count > 0 ? `volumes ${some(volumes.names, volumes.count)}` : '',
    sessions.count > 0 ? `sessions ${some(sessions.ids, sessions.count)}` : '',
  ].filter(Boolean)
  return (
    <li class={`problem ${severity}`}>
      <h3>
        <span class="badge">{severity}</span> <code>{code}</code> {subject}
        <span class="quiet"> for {formatAge(Date.now() - Date.parse(since))}</span>
      </h3>
      <p>{sentence}</p>
      {concerned.length === 0 ? null : <p class="quiet">Concerned: {concerned.join('; ')}.</p>}
      <p>
        <strong>Do:</strong> {action}
      </p>
    </li>
  )
}

function some(names: readonly string[], count: number): string {
  return names.join(', ') + (count > names.length ? ` and ${count - names.length} more` : '')
}

/** This page comes from one member: if that is gone, another's is a click away. */
function Silence() {
  const since = silentSince.value
  const known = status.value
  if (since === null) return null
  const own = known?.members.find(({ id }) => id === known.member)
  const others = known?.members.filter(({ id }) => id !== known.member) ?? []
  return (
    <div class="problem error" role="alert">
      <h3>{own?.id ?? 'This member'} does not answer</h3>
      <p>
        What is shown is as it was {formatAge(Date.now() - since)} ago. It goes on by itself once
        the member is back.
      </p>
      {others.length === 0 ? null : (
        <p>
          <strong>Do:</strong> go on at{' '}
          {others.map(({ id, api }) => (
            <a key={id} href={api}>
              {id}
            </a>
          ))}
        </p>
      )}
    </div>
  )
}
