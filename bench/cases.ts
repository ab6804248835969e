// What is asked of the systems: the works of one load, and what else is measured, by name.
import type { Work } from './load.ts'

export interface NamedWork extends Work {
  readonly name: string
  /** That ask at once, each at this depth. */
  readonly sessions: number
}

const KIB = 1024

/** For every system there is. */
export const mainWorks: readonly NamedWork[] = [
  work({ reads: 100, depth: 1 }),
  work({ reads: 100, depth: 32 }),
  work({ reads: 0, depth: 1 }),
  work({ reads: 0, depth: 32 }),
  work({ reads: 100, depth: 8, bytes: 256 * KIB, order: 'sequential' }),
  work({ reads: 0, depth: 8, bytes: 256 * KIB, order: 'sequential' }),
]

/** For what is local to the session's member. */
export const localWorks: readonly NamedWork[] = [
  work({ reads: 100, depth: 8 }),
  work({ reads: 100, depth: 128 }),
  work({ reads: 0, depth: 8 }),
  work({ reads: 0, depth: 128 }),
  work({ reads: 70, depth: 32 }),
  work({ reads: 100, depth: 4, sessions: 8 }),
  work({ reads: 0, depth: 4, sessions: 8 }),
]

/** One session for each member, on a volume of its own. */
export const hotVolumeWorks: readonly NamedWork[] = [
  { ...work({ reads: 100, depth: 32 }), name: 'a hot volume each: 4 KiB random read, depth 32' },
  { ...work({ reads: 0, depth: 32 }), name: 'a hot volume each: 4 KiB random write, depth 32' },
]

/** Of a group with two copies beside one with one copy, local and forwarded. */
export const copiesWorks: readonly NamedWork[] = [
  work({ reads: 100, depth: 32 }),
  work({ reads: 0, depth: 1 }),
  work({ reads: 0, depth: 32 }),
  work({ reads: 0, depth: 8, bytes: 256 * KIB, order: 'sequential' }),
].map((one) => ({ ...one, name: `two copies: ${one.name}` }))

/** Local ones, with all copies in sync and while one is made again. */
export const resyncWorks = copiesWorks.filter(({ reads }) => reads === 0)
export const RESYNC = 'two copies: writes while a copy is made again'
export const IN_SYNC = 'in sync'
export const MADE_AGAIN = 'while a copy is made again'
export const resyncSystem = ({ name }: NamedWork, state: string) =>
  `${withoutScene(name)}, ${state}`

export const hotWork = work({ reads: 100, depth: 1 })
export const coldWork = work({ reads: 100, depth: 4, bytes: 64 * KIB })
export const HOT_BESIDE_COLD = `${hotWork.name}, beside cold reads`
export const AT_REST = 'three members at rest'
export const IDLE_SESSIONS = 1000
export const IDLE = `three members with ${IDLE_SESSIONS} idle sessions`

export const namesOfCases: readonly string[] = [
  ...[...mainWorks, ...localWorks, ...hotVolumeWorks, ...copiesWorks].map(({ name }) => name),
  ...[RESYNC, HOT_BESIDE_COLD, AT_REST, IDLE],
]

/** How cases are chosen: by a part of the name; 'depth 1' is none of 'depth 128'. */
export function hasText(name: string, text: string): boolean {
  const at = name.indexOf(text)
  const cutsNumber = /\d$/.test(text) && /^\d/.test(name.slice(at + text.length))
  return at >= 0 && !cutsNumber
}

/** What is asked, where the section says of whom. */
export function withoutScene(name: string): string {
  return name.replace(/^.*: /, '')
}

function work(of: Pick<NamedWork, 'reads' | 'depth'> & Partial<NamedWork>): NamedWork {
  const { reads, depth, bytes = 4 * KIB, order = 'random', sessions = 1 } = of
  const verb = reads === 100 ? 'read' : reads === 0 ? 'write' : `${reads}/${100 - reads} mix`
  const many = sessions === 1 ? '' : `${sessions} sessions × `
  const name = `${bytes / KIB} KiB ${order} ${verb}, ${many}depth ${depth}`
  return { reads, depth, bytes, order, sessions, name }
}
