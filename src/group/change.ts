// A change of the group record as plain data: the caller gives it to the coordinator as one transaction.

export interface GroupChange {
  readonly compare: readonly { readonly key: string; readonly rev: number }[]
  readonly put: readonly { readonly key: string; readonly value: string }[]
  readonly remove: readonly string[]
}

/** A record as it was read. */
export interface Stored<T> {
  readonly key: string
  readonly rev: number
  readonly record: T
}
