// What several members remember of the operations on a slice, put together: of each session the newest generation (R7, R10).
import type { SessionId } from '../base/ids.ts'
import type { OperationWindow } from '../store/operations.ts'

export function unitedOperations(
  told: readonly (readonly OperationWindow[])[],
): readonly OperationWindow[] {
  const united = new Map<SessionId, OperationWindow>()
  for (const one of told.flat()) {
    const known = united.get(one.session)
    united.set(one.session, known === undefined ? one : together(known, one))
  }
  return [...united.values()]
}

function together(a: OperationWindow, b: OperationWindow): OperationWindow {
  if (a.gen !== b.gen) return a.gen > b.gen ? a : b
  const upTo = Math.max(a.upTo, b.upTo)
  const numbers = new Set([...a.numbers, ...b.numbers].filter((number) => number > upTo))
  return { ...a, upTo, numbers: [...numbers].sort((one, other) => one - other) }
}
