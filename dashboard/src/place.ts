// What the address of the page names behind its '#'. Pure.

export interface Place {
  readonly kind: 'session' | 'volume' | 'new' | 'balance'
  /** Of the session or the volume; of a new one, what it is. */
  readonly name: string
}

/** null: nothing, or a heading of the page. */
export function readPlace(hash: string): Place | null {
  if (hash === '#balance') return { kind: 'balance', name: '' }
  if (hash === '#new/volume') return { kind: 'new', name: 'volume' }
  const match = /^#(session|volume)\/(.+)$/.exec(hash)
  if (match === null) return null
  const [, kind, name = ''] = match
  return { kind: kind === 'session' ? 'session' : 'volume', name }
}
