// One member: its sessions, and its drain. Before it gives its sessions away it is said what that would mean.
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Drain, DrainState } from '../../src/api/keeping-schema.ts'
import { formatAge } from '../../src/base/figures.ts'
import { ActionForm, useAction } from './action.tsx'
import { ask, read, sentenceOf } from './api.ts'
import { status, top } from './live.ts'
import { countOf, sentence, shortName } from './words.ts'

const SESSIONS_SHOWN = 20

export function MemberPanel({ id }: { readonly id: string }) {
  const member = status.value?.members.find((one) => one.id === id)
  if (status.value === null) return <p>Asking …</p>
  if (member === undefined) return <p class="refused">There is no member {id}.</p>
  const sessions = (top.value?.sessions ?? []).filter((one) => one.member === id)
  return (
    <>
      <h2>{id}</h2>
      <p class="quiet">
        {member.state === 'silent' ? 'It does not answer. ' : ''}Initiators reach it at{' '}
        <code>{member.portal}</code>.
      </p>
      {member.draining ? <Draining id={id} state={member.drain} /> : <BeginDrain id={id} />}
      <h3>{countOf(member.sessions, 'session')}</h3>
      {sessions.length === 0 ? null : (
        <ul class="decisions">
          {sessions.slice(0, SESSIONS_SHOWN).map((one) => (
            <li key={one.id}>
              <a href={`#session/${one.id}`}>{shortName(one.initiator)}</a>{' '}
              <span class="quiet">
                {one.volume}
                {one.pinned === null ? '' : `, pinned to ${one.pinned}`}
              </span>
            </li>
          ))}
          {sessions.length > SESSIONS_SHOWN ? (
            <li class="quiet">and {sessions.length - SESSIONS_SHOWN} more</li>
          ) : null}
        </ul>
      )}
    </>
  )
}

const pathOf = (id: string) => `/api/v1/members/${encodeURIComponent(id)}/drain`

function BeginDrain({ id }: { readonly id: string }) {
  const foretold = useSignal<Drain | null>(null)
  const refused = useSignal('')
  const action = useAction()
  useEffect(() => {
    let isWanted = true
    void read<Drain>(pathOf(id))
      .then((drain) => {
        if (isWanted) foretold.value = drain
      })
      .catch((error: unknown) => {
        if (isWanted) refused.value = sentenceOf(error)
      })
    return () => {
      isWanted = false
    }
  }, [id, foretold, refused])
  const drain = async () => (await ask<Drain>('PUT', pathOf(id))).sentence
  return (
    <>
      <h3>Drain it</h3>
      <ActionForm
        action={action}
        change={drain}
        button={`Drain ${id}`}
        isReady={refused.value === ''}
      >
        <p aria-live="polite">
          {refused.value || (foretold.value?.sentence ?? 'Asking what that would mean …')}
        </p>
        <Reasons state={foretold.value?.state ?? null} />
      </ActionForm>
    </>
  )
}

function Draining({ id, state }: { readonly id: string; readonly state: DrainState | null }) {
  const action = useAction()
  const undo = async () => (await ask<Drain>('DELETE', pathOf(id))).sentence
  return (
    <>
      <h3>It is being drained</h3>
      {state === null ? (
        <p>It does not tell how far it is.</p>
      ) : (
        <>
          <progress
            class="drain"
            max={Math.max(1, state.moved + state.left)}
            value={state.left === 0 ? Math.max(1, state.moved) : state.moved}
            aria-label="Sessions that have left"
          />
          <p>
            {countOf(state.moved, 'session')} left it, {state.left} to go
            {state.secondsLeft === null || state.left === 0
              ? '.'
              : `, in about ${formatAge(state.secondsLeft * 1_000)}.`}
          </p>
          <Reasons state={state} />
        </>
      )}
      <ActionForm action={action} change={undo} button="Let it take sessions again" />
    </>
  )
}

/** What cannot leave, why, and what to do. */
function Reasons({ state }: { readonly state: DrainState | null }) {
  if (state === null || state.reasons.length === 0) return null
  return (
    <ul class="options">
      {state.reasons.map(({ session, why, action }) => (
        <li key={session}>
          <a href={`#session/${session}`}>Session {session}</a> stays: {sentence(why)} {action}
        </li>
      ))}
    </ul>
  )
}
