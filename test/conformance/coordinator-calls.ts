// Calls on a coordinator that the conformance tests and their child processes share.
import { NO_REVISION } from '../../src/base/ids.ts'
import type {
  Change,
  Coordinator,
  Transaction,
  TransactionResult,
  Versioned,
} from '../../src/coordination/coordinator.ts'

/** How a group's first member opens the file. */
export const founding = { make: true, waits: () => undefined }

/** Two digits, so that key order is number order. */
export function pairs(
  prefix: string,
  count: number,
  value: string,
): { key: string; value: string }[] {
  return range(0, count - 1).map((n) => ({ key: `${prefix}${String(n).padStart(2, '0')}`, value }))
}

export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at)
}

export async function done(
  handle: Coordinator,
  transaction: Transaction,
): Promise<TransactionResult & { readonly kind: 'done' }> {
  const result = await handle.txn(transaction)
  if (result.kind !== 'done') throw new Error(`not done: ${JSON.stringify(result)}`)
  return result
}

/** For writers that meet others: again while the file is busy (which surely did nothing). */
export async function settle(handle: Coordinator, transaction: Transaction): Promise<void> {
  for (;;) {
    const result = await handle.txn(transaction)
    if (result.kind === 'done') return
    if (result.kind !== 'unknown' || result.reason !== 'busy')
      throw new Error(JSON.stringify(result))
  }
}

export async function listed(handle: Coordinator, prefix: string): Promise<readonly Versioned[]> {
  const result = await handle.list(prefix)
  if (result.kind !== 'done') throw new Error(`not listed: ${result.reason}`)
  return result.items
}

/** Adds one to a counter `times` times by compare-and-swap. */
export async function increment(handle: Coordinator, key: string, times: number): Promise<void> {
  for (let left = times; left > 0; ) {
    const item = (await listed(handle, key)).find((one) => one.key === key)
    const result = await handle.txn({
      compare: [{ key, rev: item?.rev ?? NO_REVISION }],
      put: [{ key, value: String(Number(item?.value ?? 0) + 1) }],
    })
    if (result.kind === 'done') left -= 1
  }
}

/** The next `count` changes. */
export async function take(
  watch: ReturnType<Coordinator['watch']>,
  count: number,
): Promise<readonly Change[]> {
  const changes: Change[] = []
  while (changes.length < count) {
    const batch = await watch.next()
    if (batch.kind !== 'changes') throw new Error(`the watch is ${batch.kind}`)
    changes.push(...batch.changes)
  }
  return changes
}
