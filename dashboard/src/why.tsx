// Why a session moved, why it stays, and what would be moved next: each as the rules have it.
import { useSignal } from '@preact/signals'
import type { BalancePlan, MoveOption, MoveWhy, StayReason } from '../../src/api/balance-schema.ts'
import { formatAge } from '../../src/base/figures.ts'
import { sentenceOf } from './api.ts'
import { useAsked } from './asked.ts'
import { top } from './live.ts'
import { begun, shortName, unbroken } from './words.ts'

/** The rule that holds a session back, and what speaks for each other member. */
export function WhyItStays({
  session,
  member,
}: {
  readonly session: string
  readonly member: string
}) {
  const { answer, refused } = useAsked<StayReason>(
    `/api/v1/sessions/${encodeURIComponent(session)}/why-not`,
  )
  const reason = answer.value
  if (refused.value !== null) return <p class="quiet">{sentenceOf(refused.value)}</p>
  // What was said of it elsewhere is over.
  if (reason === null || reason.member !== member) return null
  return (
    <>
      <p>{unbroken(begun(reason.sentence))}</p>
      <Options options={reason.options} />
    </>
  )
}

function Options({ options }: { readonly options: readonly MoveOption[] }) {
  return (
    <ul class="options">
      {options.map(({ to, sentence }) => (
        <li key={to}>
          <strong>{to}</strong> {sentence}
        </li>
      ))}
    </ul>
  )
}

/** Asked for only when somebody wants to know. */
export function WhyItMoved({ move }: { readonly move: string }) {
  const isOpen = useSignal(false)
  return (
    <details
      class="why"
      onToggle={(event) => {
        isOpen.value = event.currentTarget.open
      }}
    >
      <summary>What the decision had seen</summary>
      {isOpen.value ? <Seen move={move} /> : null}
    </details>
  )
}

function Seen({ move }: { readonly move: string }) {
  const { answer, refused } = useAsked<MoveWhy>(
    `/api/v1/moves/${encodeURIComponent(move)}/why`,
    true,
  )
  const why = answer.value
  if (refused.value !== null) return <p class="quiet">{sentenceOf(refused.value)}</p>
  if (why === null) return <p class="quiet">Asking …</p>
  return (
    <>
      <p>{begun(why.sentence)}</p>
      <Options options={why.options} />
    </>
  )
}

/** What balance does next, or would do if it were on: nothing has moved. */
export function NextMoves() {
  const { answer } = useAsked<BalancePlan>('/api/v1/balance/plan')
  const plan = answer.value
  if (plan === null) return <p class="quiet">Asking …</p>
  const nameOf = (id: string) => {
    const session = top.value?.sessions.find((one) => one.id === id)
    return session === undefined ? `session ${id}` : shortName(session.initiator)
  }
  return (
    <>
      {plan.silent.length === 0 ? null : (
        <p class="quiet">Without {plan.silent.join(', ')}, which did not answer.</p>
      )}
      {plan.moves.length === 0 ? (
        <p class="quiet">Nothing: all sessions are well where they are.</p>
      ) : (
        <ul class="decisions">
          {plan.moves.map(({ session, member, to, at, sentence }) => (
            <li key={session}>
              <p>
                <a href={`#session/${session}`}>{nameOf(session)}</a> {member} → {to},{' '}
                {inTime(Date.parse(at) - Date.now())}
              </p>
              <p class="quiet">{begun(sentence)}</p>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

function inTime(ms: number): string {
  return ms < 1_000 ? 'now' : `in ${formatAge(ms)}`
}
