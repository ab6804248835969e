// Ids and counters on which all rooms agree, each its own type: the compiler refuses one where another is meant. They are
// plain numbers when the program runs, a member's id is a plain string. A number or a string becomes one only where it enters:
// in parsers, readers of frames and of the store, and where a revision is given.

declare const named: unique symbol

type Named<Name extends string> = number & { readonly [named]: Name }
/** 'm1', 'm2' … unless configured; refuseMemberId in group/founding.ts has the rule. */
export type MemberId = string & { readonly [named]: 'MemberId' }

/** The coordinator's revision at the session's first login: unique and ordered in time. */
export type SessionId = Named<'SessionId'>
/** Counts the takes of a session; a request with an older one is refused. */
export type Generation = Named<'Generation'>
export type VolumeId = Named<'VolumeId'>
export type SliceId = Named<'SliceId'>
/** Counts the changes of a slice's primary; older ones are refused. */
export type Epoch = Named<'Epoch'>
/** Counts the changes of the group record, which the coordinator gives with each of them. */
export type Revision = Named<'Revision'>

export function memberId(id: string): MemberId {
  return id as MemberId
}

export function sessionId(id: number): SessionId {
  return id as SessionId
}

export function generation(count: number): Generation {
  return count as Generation
}

export function volumeId(id: number): VolumeId {
  return id as VolumeId
}

export function sliceId(id: number): SliceId {
  return id as SliceId
}

export function epoch(count: number): Epoch {
  return count as Epoch
}

export function revision(count: number): Revision {
  return count as Revision
}

/** Of a key that does not exist, and of who has seen nothing yet: below all that are given. */
export const NO_REVISION = revision(0)
