// What the API tells of slices: where their copies are, and what would move to make them level.
import { z } from 'zod'
import { COPIES_MAX } from '../base/sizes.ts'
import { count } from './number-schema.ts'

export const sliceState = z
  .enum(['whole', 'degraded', 'lastCopy', 'unavailable'])
  .describe(
    'Of its copies: all in sync; fewer than wanted; one left of several; writes wait, or all of it.',
  )

/** A lane of a volume, and the copies of its slice. */
export const lane = z.object({
  lane: count,
  slice: count,
  primary: z.string(),
  epoch: count,
  inSync: z.array(z.string()).describe('Members that have all that was answered.'),
  wanted: z.array(z.string()).describe('Members that are to have a copy.'),
  state: sliceState,
})

/** How many slices are in which state. */
export const sliceCounts = z.object({
  count: count.describe('Slices of the group.'),
  copies: count.describe('Wanted of each.'),
  whole: count.describe('All copies are in sync.'),
  degraded: count.describe('Fewer are in sync than wanted, and more than one.'),
  lastCopy: count.describe('One is in sync, of several wanted.'),
  unavailable: count.describe('Writes wait, since too few are in sync; or all I/O does.'),
})

const evenness = z
  .object({ copies: z.number(), primaries: z.number() })
  .describe('What the member with most has, over the mean; 1: level.')

const underWay = z
  .object({
    copies: count.describe('Copies that are to be made where they are wanted.'),
    leaving: count.describe('Copies that go when those that are wanted are there.'),
    primaries: count.describe('Slices that another member is to be the primary of.'),
  })
  .describe('What is still to do until all slices are where they are wanted.')

export const layout = z
  .object({
    slices: sliceCounts,
    evenness,
    underWay,
    members: z.array(
      z.object({
        member: z.string(),
        primaries: count.describe('Slices that it is the primary of.'),
        copies: count.describe('Slices that it is to have a copy of.'),
        missing: count.describe('Of these, copies that are not in sync.'),
        leaving: count.describe('Copies in sync that it is not to have any more.'),
      }),
    ),
  })
  .meta({ id: 'Layout', description: 'Which member has how much of the slices.' })

const copies = z.int().min(1).max(COPIES_MAX)
/** In a query. */
export const copiesAsked = z.coerce.number().pipe(copies)

export const layoutRequest = z
  .strictObject({
    copies: copies.optional().describe('Of each slice from now on; as many as now unless given.'),
  })
  .meta({ id: 'LayoutRequest' })

export const layoutPlan = z
  .object({
    wanted: count.describe('Copies of each slice.'),
    underWay,
    copies: count.describe('Copies that would move to make the layout level.'),
    bytes: count
      .nullable()
      .describe(
        'Their size, by what the members that give them have on average; null: one of these is silent.',
      ),
    primaries: count.describe('Slices whose primary would change.'),
    evenness: z.object({ before: evenness, after: evenness }),
    members: z.array(
      z.object({
        member: z.string(),
        gives: count.describe('Copies.'),
        takes: count.describe('Copies.'),
        copies: count.describe('That it would have then.'),
        primaries: count.describe('That it would be then.'),
      }),
    ),
    moves: z
      .array(z.object({ slice: count, from: z.string().nullable(), to: z.string().nullable() }))
      .describe('Of copies, by slice; from null: one more than before, to null: one less.'),
  })
  .meta({
    id: 'LayoutPlan',
    description:
      'What would move, or what was ordered to. `underWay` is besides, and as it is now.',
  })

export type SliceState = z.infer<typeof sliceState>
export type SliceCounts = z.infer<typeof sliceCounts>
export type Layout = z.infer<typeof layout>
export type LayoutRequest = z.infer<typeof layoutRequest>
export type LayoutPlan = z.infer<typeof layoutPlan>
