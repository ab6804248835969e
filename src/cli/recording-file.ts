// What members have kept of their load, in a file: fetched from a group, and read again for a replay.
import { readFile, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { recordedEntry } from '../api/balance-schema.ts'
import { ApiRefusal, type Caller } from '../api/caller.ts'
import { SCHEMA } from '../api/errors.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import { complaintsOf, parsedFile, wrongFile } from './file-complaints.ts'

const FORM = 'recording'

const recording = z.object({
  schema: z.literal(SCHEMA),
  form: z.literal(FORM),
  at: z.string(),
  everySeconds: z.number().positive(),
  members: z.array(z.object({ member: z.string().min(1), entries: z.array(recordedEntry) })),
})
export type RecordingFile = z.infer<typeof recording>

/** Of all members; `silent` is told of each that does not answer, which is then missing. */
export async function fetchRecording(
  caller: Caller,
  silent: (member: string, why: string) => void,
): Promise<RecordingFile> {
  const { items } = await caller.members()
  const members: RecordingFile['members'] = []
  let everySeconds = 0
  for (const { id } of items) {
    try {
      const entries: RecordingFile['members'][number]['entries'] = []
      for (let after: number | null = 0; after !== null; ) {
        const page = await caller.recording(id, after)
        entries.push(...page.entries)
        everySeconds = page.everySeconds
        after = page.next
      }
      members.push({ member: id, entries })
    } catch (error) {
      if (!(error instanceof ApiRefusal) || error.problem.code !== 'memberSilent') throw error
      silent(id, error.problem.detail)
    }
  }
  return { schema: SCHEMA, form: FORM, at: new Date().toISOString(), everySeconds, members }
}

export async function writeRecording(path: string, content: RecordingFile): Promise<void> {
  await writeFile(path, `${JSON.stringify(content)}\n`, { flag: 'wx' }).catch((error) => {
    if (error.code !== 'EEXIST') throw error
    throw new CommandFailed(EXIT.conflict, `${path} exists: name a file that does not`)
  })
}

export async function readRecording(path: string): Promise<RecordingFile> {
  const read = recording.safeParse(parsedFile(path, FORM, await readFile(path, 'utf8')))
  if (!read.success) throw wrongFile(path, FORM, complaintsOf(read.error))
  if (read.data.members.some(({ entries }) => entries.length > 0)) return read.data
  throw wrongFile(path, FORM, ['there is nothing in it: members keep an entry each 10 s'])
}

/** From the first entry to the last. */
export function secondsOf({ members, everySeconds }: RecordingFile): number {
  const times = members
    .flatMap(({ entries }) => [entries[0], entries.at(-1)])
    .flatMap((entry) => entry?.atMs ?? [])
  if (times.length === 0) return 0
  return (Math.max(...times) - Math.min(...times)) / 1000 + everySeconds
}
