// What the launcher of `up` knows about its members and they cannot know themselves: which of them end, how often, and what
// they said last. The launcher writes it into the group's data folder at each change; members read it for their health.
//
// Invariants:
//   LR1. The file is bounded, and is read whole or not at all: it is replaced, never rewritten.
import { renameSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'

export const LAUNCHER_RECORD = 'launcher.json'
const ERROR_MAX = 1_000
const PRIVATE = 0o600

/** Of a member that has ended by itself. */
const launched = z.object({
  serves: z.boolean(),
  /** Since the member last ran for a minute. */
  endings: z.number().int().min(0),
  /** ISO times: the first of these endings, the last one. */
  firstAt: z.string(),
  lastAt: z.string(),
  /** What the member said last, or how it ended. */
  lastError: z.string(),
  /** Of its last error, if that has one: OLD_FOLDER. */
  code: z.string().nullable(),
})

const record = z.object({ format: z.literal(1), members: z.record(z.string(), launched) })

export type Launched = Readonly<z.infer<typeof launched>>

/** By member; who has not ended by itself lately is missing. */
export type LaunchedMembers = Readonly<Record<string, Launched>>

/** LR1. */
export function writeLauncherRecord(file: string, members: LaunchedMembers): void {
  const bounded = Object.fromEntries(
    Object.entries(members).map(([id, { lastError, ...more }]) => [
      id,
      { ...more, lastError: lastError.slice(0, ERROR_MAX) },
    ]),
  )
  const next = `${file}.new`
  writeFileSync(next, `${JSON.stringify({ format: 1, members: bounded })}\n`, { mode: PRIVATE })
  renameSync(next, file)
}

/** Empty if there is none: nobody supervises this member. */
export async function readLauncherRecord(file: string | null): Promise<LaunchedMembers> {
  if (file === null) return {}
  try {
    const parsed = record.safeParse(JSON.parse(await readFile(file, 'utf8')))
    return parsed.success ? parsed.data.members : {}
  } catch {
    return {}
  }
}
