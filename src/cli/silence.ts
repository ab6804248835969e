// What a view that renews itself says of members that do not answer while another one does.
import type { Caller } from '../api/caller.ts'
import { formatAge } from '../base/figures.ts'

/** null: whoever was asked has answered. */
export function silenceOf(caller: Caller): string | null {
  const silences = caller.silences()
  if (silences.length === 0) return null
  return silences
    .map(({ name, how, sinceMs }) => `${name} ${how}, for ${formatAge(sinceMs)}`)
    .join('; ')
}
