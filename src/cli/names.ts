// How people name a thing: by its name, or by the beginning of it if nothing else begins so.
//
// Invariants:
//   N1. What is called exactly so wins; a beginning is tried only if there is no such thing, and only if it is one thing's.
import { ApiRefusal, type Caller } from '../api/caller.ts'
import { CommandFailed, EXIT } from './exit-code.ts'

/** What the API gives at once. */
export const MOVES_MAX = 1000

const KINDS = {
  volume: {
    notFound: 'volumeNotFound',
    all: async (caller: Caller) => (await caller.volumes()).items.map(({ name }) => name),
  },
  session: {
    notFound: 'sessionNotFound',
    all: async (caller: Caller) => (await caller.sessions()).items.map(({ id }) => id),
  },
  member: {
    notFound: 'memberNotFound',
    all: async (caller: Caller) => (await caller.members()).items.map(({ id }) => id),
  },
  move: {
    notFound: 'moveNotFound',
    all: async (caller: Caller) => (await caller.moves(MOVES_MAX)).items.map(({ id }) => id),
  },
} as const

/** As many as one can take in. */
const NAMED_MAX = 8

export type Kind = keyof typeof KINDS

/** What there is of a kind, by name. */
export function namesOf(caller: Caller, kind: Kind): Promise<string[]> {
  return KINDS[kind].all(caller)
}

/** Does something with the thing that `text` names (N1). */
export async function named<T>(
  caller: Caller,
  kind: Kind,
  text: string,
  use: (name: string) => Promise<T>,
): Promise<T> {
  try {
    return await use(text)
  } catch (error) {
    if (!(error instanceof ApiRefusal) || error.problem.code !== KINDS[kind].notFound) throw error
    const name = meantBy(kind, text, await namesOf(caller, kind))
    if (name === null) throw error
    return use(name)
  }
}

/** The one that `text` names or begins (N1); null: none. Several are refused with a sentence that names them. */
export function meantBy(kind: Kind, text: string, names: readonly string[]): string | null {
  if (names.includes(text)) return text
  const meant = text === '' ? [] : names.filter((name) => name.startsWith(text))
  if (meant.length <= 1) return meant[0] ?? null
  const some = meant.slice(0, NAMED_MAX).join(', ')
  const more = meant.length > NAMED_MAX ? ` and ${meant.length - NAMED_MAX} more` : ''
  throw new CommandFailed(
    EXIT.usage,
    `${meant.length} ${kind}s begin with '${text}': ${some}${more}. Write more of the one that is meant`,
  )
}
