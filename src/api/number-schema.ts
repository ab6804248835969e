// The kinds of numbers that the API tells.
import { z } from 'zod'

export const count = z.number().int().min(0)
export const rate = z.number().min(0)
/** 0 … 1, over 1 only by rounding. */
export const share = z.number().min(0)
