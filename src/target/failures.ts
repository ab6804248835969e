// The kinds by which failed commands are counted: fixed, one for each status and condition that this target answers with
// (CN2 of load/counters.ts).
import type { FailureKind } from '../load/counters.ts'
import { type Condition, conditions } from '../scsi/sense.ts'

const UNIT_ATTENTION = 0x6

/** It found no room for its data, and its initiator tries again (RFC 7143 §11.4.2). */
export const taskSetFull: FailureKind = { status: 'task_set_full', sense: 'none' }

/** Made once, so that counting one makes nothing. */
const kinds = new Map<Condition, FailureKind>(
  Object.values(conditions)
    .filter(({ key }) => key !== UNIT_ATTENTION)
    .map((condition) => [condition, { status: 'check_condition', sense: senseName(condition) }]),
)

/** null: a unit attention is news, and no failure. */
export function failureOf(condition: Condition): FailureKind | null {
  return kinds.get(condition) ?? null
}

/** As the documentation writes it: 7/27/07. */
function senseName({ key, asc, ascq }: Condition): string {
  const hex = (byte: number) => byte.toString(16).padStart(2, '0')
  return `${key.toString(16)}/${hex(asc)}/${hex(ascq)}`
}
