// Who answers at the portal of a member that is away (target/stand-ins.ts), by what the members say of themselves. Pure.
import type { MemberId } from '../base/ids.ts'
import type { Condition } from './condition.ts'

/** null: nobody that answers says so. */
export function standInOf(
  id: MemberId,
  conditions: Iterable<readonly [MemberId, Pick<Condition, 'standIns'> | null]>,
): { readonly member: MemberId; readonly since: string } | null {
  for (const [member, condition] of conditions)
    for (const one of condition?.standIns ?? [])
      if (one.member === id) return { member, since: one.since }
  return null
}
