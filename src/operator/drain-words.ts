// A drain as it is told to people: how far it is, and what keeps the rest. Pure.
import type { DrainState } from '../api/keeping-schema.ts'

/** `state`: null: the member does not tell. */
export function drainSentence(member: string, says: 'is' | 'would', state: DrainState | null) {
  if (state === null) return `${member} is being drained, and does not tell how far it is.`
  const { left, stuck, moved, secondsLeft } = state
  const cannot =
    stuck === left ? 'None of them can leave now.' : `${stuck} of them cannot leave now.`
  const kept = stuck === 0 ? '' : ` ${cannot}`
  if (says === 'would') {
    return left === 0
      ? `${member} has no sessions; it would take none any more.`
      : `${member} would give its ${sessions(left)} to the other members, one by one, and take none any more.${kept}`
  }
  if (left === 0)
    return `${member} is drained: it has no sessions and takes none, ${moved} have left.`
  const time = secondsLeft === null ? '' : `, about ${secondsLeft} s`
  return `${member} is being drained: ${sessions(left)} left${time}.${kept}`
}

function sessions(count: number): string {
  return `${count} session${count === 1 ? '' : 's'}`
}
