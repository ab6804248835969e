// What the address of the page names behind its '#'. Pure.

export interface Place {
  readonly kind: 'session' | 'volume' | 'member' | 'new' | 'balance'
  /** Of the session, the volume or the member; of a new one, what it is. */
  readonly name: string
}

const NAMED = ['session', 'volume', 'member'] as const

/** null: nothing, or a heading of the page. */
export function readPlace(hash: string): Place | null {
  if (hash === '#balance') return { kind: 'balance', name: '' }
  if (hash === '#new/volume') return { kind: 'new', name: 'volume' }
  const match = /^#(session|volume|member)\/(.+)$/.exec(hash)
  if (match === null) return null
  const [, word, name = ''] = match
  const kind = NAMED.find((one) => one === word)
  return kind === undefined ? null : { kind, name }
}
