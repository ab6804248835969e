// Where a group is kept unless --data says otherwise. Not in the checkout: `git clean` would delete the volumes.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Option } from 'commander'
import type { Environment } from './context.ts'

/** Where versions before 0.1.0 began a group: in the folder where they were called. */
const HERE = 'data'
/** By which it is known to be a group's. */
const COORDINATION_FILE = 'coordination.sqlite'

/** The folder of this user's state that is ours; null: nobody knows where the user's state is kept. */
export function stateFolder({ XDG_STATE_HOME, HOME }: Environment): string | null {
  const home = HOME === undefined || HOME === '' ? null : join(HOME, '.local', 'state')
  const folder = XDG_STATE_HOME?.startsWith('/') ? XDG_STATE_HOME : home
  return folder === null ? null : join(folder, 'evenkeel')
}

/** A group that is here already stays in use: nobody's volumes are gone because a default changed. */
export function dataFolderOf(environment: Environment): string {
  const { EVENKEEL_DATA: named } = environment
  if (named !== undefined && named !== '') return named
  const state = stateFolder(environment)
  return state === null || existsSync(join(HERE, COORDINATION_FILE)) ? HERE : join(state, 'group')
}

export function dataOption(environment: Environment, about: string): Option {
  return new Option('--data <folder>', about).default(
    dataFolderOf(environment),
    'EVENKEEL_DATA, or evenkeel/group where your state is kept',
  )
}
