// Whether sessions move by load and new ones are placed by load; and what was decided lately.
import { useSignal } from '@preact/signals'
import type { Balance } from '../../src/api/schema.ts'
import { formatAge } from '../../src/base/figures.ts'
import { ActionForm, useAction } from './action.tsx'
import { ask } from './api.ts'
import { useAsked } from './asked.ts'
import { NextMoves } from './why.tsx'

type Choice<V> = readonly (readonly [value: V, name: string, effect: string])[]

const MODES: Choice<Balance['mode']> = [
  ['on', 'On', 'sessions move by load; each move is explained'],
  ['advise', 'Advise', 'it is decided and told what would move, and nothing moves'],
  ['off', 'Off', 'nothing moves by itself; moves under way finish'],
]
const PLACEMENTS: Choice<Balance['placement']> = [
  ['on', 'On', 'a new session is sent to where the load is lower'],
  ['off', 'Off', 'a new session stays where its initiator logs in'],
]

export function BalancePanel() {
  const { answer } = useAsked<Balance>('/api/v1/balance')
  const now = answer.value
  if (now === null) return <p>Asking …</p>
  return (
    <>
      <h2>Balance</h2>
      <p class="quiet">
        {now.imbalance === null
          ? 'Not all members have reported their load.'
          : `The highest load is ${now.imbalance.toFixed(2)} times the mean.`}
      </p>
      <Choices now={now} />
      <h3>{now.mode === 'on' ? 'What moves next' : 'What would move next, if balance were on'}</h3>
      <NextMoves />
      <h3>Decided lately by this member</h3>
      {now.decisions.length === 0 ? (
        <p class="quiet">Nothing: it has no sessions, or has just begun.</p>
      ) : (
        <ul class="decisions">
          {now.decisions.slice(0, 20).map(({ at, session, code, sentence }) => (
            <li key={`${at} ${session}`}>
              <p class="quiet">
                {formatAge(Date.now() - Date.parse(at))} ago, {code}
              </p>
              <p>{sentence}</p>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

function Choices({ now }: { readonly now: Balance }) {
  const mode = useSignal<Balance['mode'] | null>(null)
  const placement = useSignal<Balance['placement'] | null>(null)
  const action = useAction()
  const wanted = {
    mode: mode.value ?? now.mode,
    placement: placement.value ?? now.placement,
  }
  const isChanged = wanted.mode !== now.mode || wanted.placement !== now.placement
  const change = async () => {
    const set = await ask<Balance>('PUT', '/api/v1/balance', wanted)
    return `Balance is ${set.mode}, placement is ${set.placement}, for the whole group.`
  }
  return (
    <ActionForm
      action={action}
      change={change}
      button="Set for the whole group"
      isReady={isChanged}
    >
      <Radios
        legend="Sessions that are there"
        name="mode"
        choices={MODES}
        value={wanted.mode}
        set={(value) => {
          mode.value = value
        }}
      />
      <Radios
        legend="New sessions"
        name="placement"
        choices={PLACEMENTS}
        value={wanted.placement}
        set={(value) => {
          placement.value = value
        }}
      />
    </ActionForm>
  )
}

interface RadiosProps<V extends string> {
  readonly legend: string
  readonly name: string
  readonly choices: Choice<V>
  readonly value: V
  readonly set: (value: V) => void
}

function Radios<V extends string>({ legend, name, choices, value, set }: RadiosProps<V>) {
  return (
    <fieldset>
      <legend>{legend}</legend>
      {choices.map(([one, what, effect]) => (
        <label key={one} class="choice">
          <input type="radio" name={name} checked={value === one} onChange={() => set(one)} />
          <span>
            {what}
            <small>{effect}</small>
          </span>
        </label>
      ))}
    </fieldset>
  )
}
