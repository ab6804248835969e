// `evenkeel backup record`: the coordination file as one whole file. The file alone, copied, would be an empty or an older
// backup: what is newest is in its -wal.
import { join } from 'node:path'
import type { Revision } from '../base/ids.ts'
import { parseGroup } from '../group/parse.ts'
import { keys } from '../group/record.ts'
import { backUpStore } from '../io/sqlite-files.ts'
import { COORDINATION_FILE } from './plan.ts'

export interface RecordBackup {
  readonly file: string
  readonly groupId: string
  readonly incarnation: string
  readonly revision: Revision
  readonly volumes: number
  readonly bytes: number
}

/** Throws a sentence, or the system's error: EEXIST for a file that exists. */
export function backUpRecord(dataFolder: string, to: string): RecordBackup {
  const { rev, items, bytes } = backUpStore(join(dataFolder, COORDINATION_FILE), to)
  const value = items.find(({ key }) => key === keys.group)?.value
  const group = value === undefined ? 'There is no group in it.' : parseGroup(value)
  if (typeof group === 'string') throw new Error(group)
  const volumes = items.filter(({ key }) => key.startsWith(keys.volumes)).length
  const { groupId, incarnation } = group
  return { file: to, groupId, incarnation, revision: rev, volumes, bytes }
}
