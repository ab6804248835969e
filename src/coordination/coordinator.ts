// The Coordinator port: the one place where the members of a group agree. A small key-value store with revisions,
// transactions with compare, and an ordered watch. Implementations: coordination/embedded.ts (SQLite, one host),
// sim/coordinator.ts; later etcd. All pass test/conformance/coordinator.ts.
//
// What callers may rely on:
//   G1. A transaction is linearizable, and durable once it has returned `done`.
//   G2. Any call may come back `unknown`: it may have taken effect, may yet, or never will. The caller settles it with a
//       transaction of its own that compares (a plain read could be overtaken by the late one).
//   G3. One revision counts the whole store up by one for each transaction that changes something. Removing a key that
//       does not exist changes nothing.
//   G4. A watch is ordered and gap-free, or says `compacted`; then list and watch anew.
//   G5. Keys are at most 1024 bytes of printable ASCII, values 64 KiB, a transaction at most 100 compares and 100
//       changes, each of another key. A transaction that breaks this is a mistake of the caller: it rejects (limits.ts).
//   G6. Revisions never go back: a handle that has seen one gives no answer of a store that is older, nor of one that was
//       removed, replaced or cut off. Calls are `unknown` then, with the reason, and `lost` tells it. A store that there
//       must be is never made anew.
import type { Revision } from '../base/ids.ts'

/** A key as it is: `rev` is the revision of its last change, `created` of its creation. Both > 0. */
export interface Versioned {
  readonly key: string
  readonly value: string
  readonly rev: Revision
  readonly created: Revision
}

export interface Transaction {
  /** All must hold, or nothing is written. `rev` 0: the key does not exist. */
  readonly compare?: readonly { readonly key: string; readonly rev: Revision }[]
  readonly put?: readonly { readonly key: string; readonly value: string }[]
  readonly remove?: readonly string[]
  /** Prefixes to list in the same instant, after the changes; also when the comparison failed. */
  readonly read?: readonly string[]
}

export type TransactionResult =
  /** `rev` is the revision it was given (of the store, if it wrote nothing). */
  | { readonly kind: 'done'; readonly rev: Revision; readonly read: readonly Versioned[][] }
  /** A comparison failed; nothing was written. */
  | { readonly kind: 'lost'; readonly rev: Revision; readonly read: readonly Versioned[][] }
  | { readonly kind: 'unknown'; readonly reason: string }

export type ListResult =
  | { readonly kind: 'done'; readonly rev: Revision; readonly items: readonly Versioned[] }
  | { readonly kind: 'unknown'; readonly reason: string }

export interface Change {
  readonly key: string
  /** null: removed. */
  readonly value: string | null
  readonly rev: Revision
  readonly created: Revision
}

export type WatchBatch =
  /** The changes of one or more whole transactions, in order. Everything up to `rev` has been delivered with them. */
  | { readonly kind: 'changes'; readonly rev: Revision; readonly changes: readonly Change[] }
  | { readonly kind: 'compacted' }
  | { readonly kind: 'closed' }

export interface Watch {
  /** Waits for the next batch. One call at a time. */
  next(): Promise<WatchBatch>
  close(): void
}

export interface Coordinator {
  txn(transaction: Transaction): Promise<TransactionResult>
  /** A snapshot of a prefix, in key order. May be older than a transaction of another member that is under way; never decide by it, compare. */
  list(prefix: string): Promise<ListResult>
  /** Changes with rev > `afterRev` under the prefix. */
  watch(prefix: string, afterRev: Revision): Watch
  /** Looks for changes at once instead of at the next poll: another member said that it has written. */
  nudge(): void
  /** G6: what has become of the store, as a sentence that says what to do; null while it is there, as far as it was looked. */
  readonly lost: string | null
  close(): Promise<void>
}
