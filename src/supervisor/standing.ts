// What a launcher knows of a group that stands already, from its coordination file: how many copies it keeps, who has them, and
// on which ports its members were last. Nothing is judged here: refusals.ts says what is wrong with a file.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { MemberId } from '../base/ids.ts'
import { parseMember, parseSlice } from '../group/parse.ts'
import { keys } from '../group/record.ts'
import { readStore, type StoreContents } from '../io/sqlite-files.ts'
import { COORDINATION_FILE } from './plan.ts'

export interface Ports {
  readonly portal: number
  readonly api: number
}

export interface Standing {
  /** Of each slice, as many as it is to have. */
  readonly copies: number
  readonly ports: ReadonlyMap<MemberId, Ports>
  /** Those that have a slice, or are to have one. */
  readonly bearers: ReadonlySet<MemberId>
}

/** null: there is no group in the folder, or none whose file could be read. */
export function standingIn(dataFolder: string): Standing | null {
  const file = join(dataFolder, COORDINATION_FILE)
  if (!existsSync(file)) return null
  try {
    const { items } = readStore(file)
    return items.some(({ key }) => key === keys.group)
      ? { ...copiesIn(items), ports: portsIn(items) }
      : null
  } catch {
    return null
  }
}

function copiesIn(items: StoreContents['items']): Pick<Standing, 'copies' | 'bearers'> {
  const slices = items
    .filter(({ key }) => key.startsWith(keys.slices))
    .map(({ value }) => parseSlice(value))
    .filter((slice) => typeof slice !== 'string')
  return {
    copies: Math.max(1, ...slices.map(({ want }) => want.length)),
    bearers: new Set(slices.flatMap(({ inSync, want }) => [...inSync, ...want])),
  }
}

function portsIn(items: StoreContents['items']): ReadonlyMap<MemberId, Ports> {
  const ports = new Map<MemberId, Ports>()
  for (const { key, value } of items) {
    const member = key.startsWith(keys.members) ? parseMember(value) : ''
    if (typeof member === 'string') continue
    const [portal, api] = [portOf(member.portal), portOf(member.api)]
    if (portal > 0 && api > 0) ports.set(member.id, { portal, api })
  }
  return ports
}

/** At the end of host:port and of http://host:port; 0: there is none. */
function portOf(address: string): number {
  return Number(/:(\d+)$/.exec(address)?.[1] ?? 0)
}
