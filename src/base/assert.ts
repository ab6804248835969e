// Assertions stay on in production: a broken invariant ends the member, and its journal recovers it.

export class BrokenInvariant extends Error {
  override readonly name = 'BrokenInvariant'
}

export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new BrokenInvariant(invariant)
}

/** For the `default` of an exhaustive switch: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new BrokenInvariant(`unexpected value: ${String(value)}`)
}
