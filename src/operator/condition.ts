// What a member knows about its own health, and tells the others; health.ts makes problems of it.
import { z } from 'zod'
import { drainState } from '../api/keeping-schema.ts'
import { memberId, volumeId } from '../base/ids.ts'

export const condition = z.object({
  /** What pages take, and what they may still take. */
  usedBytes: z.number(),
  freeBytes: z.number(),
  damaged: z.array(
    z.object({
      volume: z.number().transform(volumeId),
      pages: z.number(),
      /** Of these: what is lost of them may be taken from another copy. */
      mendable: z.number(),
    }),
  ),
  /** Segment files that are missing or not its own, and the pages that were in them. */
  lostSegments: z.object({ files: z.number(), pages: z.number() }),
  /** Volumes whose pages were in a folder that was given up; those that were overwritten since are good. */
  lostVolumes: z.array(z.number().transform(volumeId)),
  /** Why the store refuses everything; null while it serves. */
  storeFailure: z.string().nullable(),
  /** Mean time of the journal's commits in the last second, or how long the one under way takes already; null: nothing was written. */
  commitMs: z.number().nullable(),
  /** Why the coordinator does not answer; null: it does. */
  coordinator: z.string().nullable(),
  /** What has become of the group record: its file is gone, or an older one is in its place; null: it is there. */
  recordLost: z.string().nullable(),
  /** How far the drain of this member is; null: it is not drained. */
  drain: drainState.nullable(),
  /** At whose portals it answers while they are away, and since when. */
  standIns: z.array(
    z.object({ member: z.string().transform(memberId), portal: z.string(), since: z.string() }),
  ),
})

export type Condition = z.infer<typeof condition>

/** null: nothing that can be used. */
export function parseCondition(body: unknown): Condition | null {
  return condition.safeParse(body).data ?? null
}
