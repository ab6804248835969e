// The APIs of the groups that this user has called, so that another member can be asked when one does not answer: a small
// file in the user's state folder, by the first URL of a call.
//
// Invariants:
//   KG1. It is the user's alone, bounded, and replaced as a whole. What is wrong with it is no error of the command.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { KnownGroup } from '../api/caller.ts'
import { makeFolder } from '../io/folders.ts'
import type { Environment } from './context.ts'
import { stateFolder } from './data-folder.ts'

const GROUPS_MAX = 64

export class KnownGroups {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** null: nobody knows where the user's state is kept. */
  static of(environment: Environment): KnownGroups | null {
    const folder = stateFolder(environment)
    return folder === null ? null : new KnownGroups(join(folder, 'apis.json'))
  }

  recall(url: string): KnownGroup | null {
    return this.#read()[url] ?? null
  }

  /** KG1: the last one that was remembered is the last to be forgotten. */
  remember(url: string, group: KnownGroup): void {
    const { [url]: _, ...others } = this.#read()
    const kept = Object.entries(others).slice(1 - GROUPS_MAX)
    const groups = Object.fromEntries([...kept, [url, group]])
    const next = `${this.#path}.${process.pid}`
    try {
      makeFolder(dirname(this.#path))
      writeFileSync(next, `${JSON.stringify({ format: 1, groups })}\n`, { mode: 0o600 })
      renameSync(next, this.#path)
    } catch {
      // A home that cannot be written: the next call knows no more than this one did.
    }
  }

  #read(): Readonly<Record<string, KnownGroup>> {
    try {
      const { format, groups } = JSON.parse(readFileSync(this.#path, 'utf8'))
      if (format !== 1) return {}
      const sound = Object.entries(groups).filter(([, group]) => isGroup(group))
      return Object.fromEntries(sound) as Record<string, KnownGroup>
    } catch {
      return {}
    }
  }
}

/** By hand: every command reads this, and a library that checks it would cost more than the command. */
function isGroup(value: unknown): value is KnownGroup {
  const { group, members } = value as { [key in keyof KnownGroup]?: unknown }
  if (typeof group !== 'string' || !Array.isArray(members)) return false
  return members.every(({ id, api }) => typeof id === 'string' && typeof api === 'string')
}
