// A session is moved by hand: first it is said what would come of it, then it is done.
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Move, MovePlan, SessionDetail } from '../../src/api/schema.ts'
import { formatMs } from '../../src/base/figures.ts'
import { ActionForm, useAction } from './action.tsx'
import { ask, read, sentenceOf } from './api.ts'
import { status } from './live.ts'
import { outcomeOf } from './words.ts'

export function SessionMove({ session }: { readonly session: SessionDetail }) {
  const { id, member } = session
  const members = status.value?.members.filter((one) => one.id !== member) ?? []
  const to = useSignal('')
  const foretold = useSignal('')
  const action = useAction()
  const wanted = members.some((one) => one.id === to.value) ? to.value : ''
  useEffect(() => {
    foretold.value = ''
    if (wanted === '') return
    let isWanted = true
    const path = `/api/v1/sessions/${encodeURIComponent(id)}/move?to=${encodeURIComponent(wanted)}`
    void read<MovePlan>(path)
      .then(({ sentence }) => sentence)
      .catch(sentenceOf)
      .then((said) => {
        if (isWanted) foretold.value = said
      })
    return () => {
      isWanted = false
    }
  }, [id, wanted, foretold])
  const move = async () => {
    const made = await ask<Move>('POST', `/api/v1/sessions/${encodeURIComponent(id)}/move`, {
      to: wanted,
    })
    return made.outcome === 'returned'
      ? `It is on ${made.to}. Its I/O paused for ${formatMs(made.pauseMs)}.`
      : `It ${outcomeOf(made)}: ${made.cause ?? 'see its moves'}.`
  }
  if (members.length === 0) return null
  return (
    <>
      <h3>Move it</h3>
      <ActionForm
        action={action}
        change={move}
        button={wanted === '' ? 'Move it' : `Move it to ${wanted}`}
        isReady={wanted !== ''}
      >
        <label>
          To
          <select
            value={wanted}
            onChange={(event) => {
              to.value = event.currentTarget.value
            }}
          >
            <option value="">choose a member</option>
            {members.map((one) => (
              <option key={one.id} value={one.id} disabled={one.state === 'silent'}>
                {one.id}
                {one.state === 'silent' ? ', which does not answer' : ''}
              </option>
            ))}
          </select>
        </label>
        <p aria-live="polite">
          {wanted === ''
            ? 'You are told what would come of it before anything moves.'
            : foretold.value || 'Asking what would come of it …'}
        </p>
      </ActionForm>
    </>
  )
}
