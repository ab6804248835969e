// What the address of the page names behind its '#'. Pure.

export interface Place {
  readonly kind: 'session' | 'volume'
  readonly name: string
}

/** null: nothing, or a heading of the page. */
export function readPlace(hash: string): Place | null {
  const match = /^#(session|volume)\/(.+)$/.exec(hash)
  if (match === null) return null
  const [, kind, name = ''] = match
  return { kind: kind === 'session' ? 'session' : 'volume', name: decodeURIComponent(name) }
}
