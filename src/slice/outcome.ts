// What an operation on a volume comes to. A value, never an exception: target/task-runner turns it into sense data.

export type Outcome =
  | 'done'
  /** The session's generation is over: the connection is closed, nothing is answered. */
  | 'refused'
  /** No space for a new page: DATA PROTECT, 7/27/07. */
  | 'full'
  /** Bytes that fail their checksum and have no other copy: MEDIUM ERROR, 3/11/00 or 3/0C/00. */
  | 'damaged'
  /** The volume is gone. */
  | 'gone'

/** What was asked to be done at once has to wait for something, and was not begun. */
export type Later = 'later'

/** Of a read that was carried out. */
export type ReadOutcome = 'done' | 'damaged'

/** COMPARE AND WRITE: `offset` is the first byte that differed. */
export type CompareOutcome = Outcome | { readonly kind: 'miscompare'; readonly offset: number }

/** This member is not, or not yet, or not any more the primary of the slice: look again, and ask the one that is. */
export type Stale = 'stale'
