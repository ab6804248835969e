// A session is pinned, so that it stays whatever the load: first it is said what that would mean, then it is done.
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Pin, SessionDetail } from '../../src/api/schema.ts'
import { ActionForm, useAction } from './action.tsx'
import { ask, read, sentenceOf } from './api.ts'
import { status } from './live.ts'

export function SessionPin({ session }: { readonly session: SessionDetail }) {
  const { id, member, pinned } = session
  const path = `/api/v1/sessions/${encodeURIComponent(id)}/pin`
  const at = useSignal('')
  const foretold = useSignal('')
  const pinning = useAction()
  const unpinning = useAction()
  const wanted = at.value === '' ? member : at.value
  useEffect(() => {
    foretold.value = ''
    let isWanted = true
    void read<Pin>(`${path}?member=${encodeURIComponent(wanted)}`)
      .then(({ sentence }) => sentence)
      .catch(sentenceOf)
      .then((said) => {
        if (isWanted) foretold.value = said
      })
    return () => {
      isWanted = false
    }
  }, [path, wanted, foretold])
  const pin = async () => (await ask<Pin>('PUT', path, { member: wanted })).sentence
  const unpin = async () => (await ask<Pin>('DELETE', path)).sentence
  const others = status.value?.members.filter((one) => one.id !== member) ?? []
  if (pinned !== null) {
    return (
      <>
        <h3>Pinned to {pinned}</h3>
        <p>It stays there, whatever the load, until it is unpinned.</p>
        <ActionForm action={unpinning} change={unpin} button="Unpin it" />
      </>
    )
  }
  return (
    <>
      <h3>Pin it</h3>
      <ActionForm action={pinning} change={pin} button={`Pin it to ${wanted}`}>
        <label>
          Where
          <select
            value={at.value}
            onChange={(event) => {
              at.value = event.currentTarget.value
            }}
          >
            <option value="">where it is, on {member}</option>
            {others.map((one) => (
              <option key={one.id} value={one.id} disabled={one.state === 'silent'}>
                {one.id}
              </option>
            ))}
          </select>
        </label>
        <p aria-live="polite">{foretold.value || 'Asking what that would mean …'}</p>
      </ActionForm>
    </>
  )
}
