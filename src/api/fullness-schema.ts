// How full a member is, and of what.
import { z } from 'zod'
import { rate } from './number-schema.ts'

export const resource = z
  .enum(['cpu', 'network'])
  .describe('What of a member can be full. Its network is one only where that is its own.')

export const fullness = {
  utilisation: z
    .number()
    .describe('Load over capacity, as decisions see it: of the resource that is fullest.'),
  resource: resource.describe('Which that is.'),
  networkBitsPerSecond: rate
    .nullable()
    .describe(
      'What initiators can reach it by, each way; null: it is shared or not known, and decides nothing.',
    ),
}
