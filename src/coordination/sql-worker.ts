// The SqlWorker port: a thread of its own that holds one connection to the coordinator's file, so that no lock and no
// slow disk ever stops the event loop of a member. Implemented by io/sqlite-worker.ts.
//
// A request is one synchronous piece of work inside the worker: a transaction never waits for anything between its
// begin and its commit. The worker answers each request exactly once; if it dies, every request under way is answered
// `died` and a new worker takes the next ones.
import type { Revision } from '../base/ids.ts'
import type { Change, Transaction, Versioned } from './coordinator.ts'

/** Bumped with any change of the file's form. */
export const FILE_FORMAT = 2

export type SqlRequest =
  /** Opens the file. Only with `make` one that is missing or empty is made; no other request ever makes one. */
  | { readonly kind: 'open'; readonly make: boolean }
  | { readonly kind: 'txn'; readonly transaction: Transaction }
  | { readonly kind: 'list'; readonly prefix: string }
  /** Answered as soon as there is a change with rev > `afterRev` under the prefix. */
  | {
      readonly kind: 'changes'
      readonly watch: number
      readonly prefix: string
      readonly afterRev: Revision
    }
  /** The `changes` of that watch under way is answered `ended`. */
  | { readonly kind: 'end'; readonly watch: number }
  /** Looks for changes of other processes now. */
  | { readonly kind: 'nudge' }

export type SqlAnswer =
  | { readonly kind: 'ready'; readonly rev: Revision }
  | {
      readonly kind: 'txn'
      readonly won: boolean
      readonly rev: Revision
      readonly read: readonly Versioned[][]
    }
  | { readonly kind: 'list'; readonly rev: Revision; readonly items: readonly Versioned[] }
  | { readonly kind: 'changes'; readonly rev: Revision; readonly changes: readonly Change[] }
  | { readonly kind: 'compacted' }
  | { readonly kind: 'ended' }
  /** Somebody else held the file's lock all the time: the request was surely not carried out. */
  | { readonly kind: 'busy' }
  /** The request failed; it may have taken effect if the failure was in the commit. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** The file is gone, was replaced or cut off, or is damaged: a sentence. What was written last may be in no file that is left. */
  | { readonly kind: 'lost'; readonly reason: string }
  /** This file is not for us, now or later: a sentence. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The worker died: the request may have taken effect. */
  | { readonly kind: 'died'; readonly reason: string }

export interface SqlWorker {
  /** Never rejects. */
  ask(request: SqlRequest): Promise<SqlAnswer>
  /** Ends the worker; requests under way are answered `died`. */
  close(): Promise<void>
}
