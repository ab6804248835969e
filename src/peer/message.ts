// What members say to each other besides bytes of volumes, and who they are when they meet.
import type { MemberId } from '../group/record.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

export interface Identity {
  readonly groupId: string
  readonly memberId: MemberId
  /** Changes at every start. */
  readonly bootId: string
}

/** The first frame of a stream. */
export interface Hello extends Identity {
  readonly to: MemberId
  /** Rises with every stream that this boot opens to `to`: a hello ends every older stream of that member. */
  readonly stream: number
}

export const answerStatus = {
  done: 0,
  /** The session's generation is over. */
  refused: 1,
  /** Not the primary of the slice, or another epoch: look again and send anew. */
  stale: 2,
  full: 3,
  damaged: 4,
  gone: 5,
  /** COMPARE AND WRITE: `offset` is the first byte that differs. */
  miscompare: 6,
} as const

export function parseHello(json: Json): Hello | null {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) return null
  const { groupId, memberId, bootId, to, stream } = json as { readonly [name: string]: Json }
  if (typeof groupId !== 'string' || typeof memberId !== 'string') return null
  if (typeof bootId !== 'string' || typeof to !== 'string' || typeof stream !== 'number') return null
  return { groupId, memberId, bootId, to, stream }
}
