// Why a session moved, and why another did not. Codes are for programs and never change their meaning; sentences are in
// explain.ts.

export const CODES = [
  'MOVED',
  'NO_GAIN',
  'NO_PAYBACK',
  'DEBT_BUILDING',
  'NOISE',
  'UNDERSHOOT',
  'DEST_CAP',
  'RETURN_BAN',
  'COOLDOWN',
  'TOO_YOUNG',
  'PINNED',
  'MULTIPATH',
  'DENIED',
  'BUSY',
  'RATE_LIMIT',
  'PAUSE_BUDGET',
  'HOLDS_STATE',
  'LAST_MOVE_FAILED',
  'SIBLING_SILENT',
  'NOT_PARTITIONED',
  'BAD_PATH',
  'ALREADY_MOVING',
  'NO_DESTINATION',
  'SUSPECT_VIEW',
  'PAUSED',
  'DRAIN',
  'BY_HAND',
  'FAILED',
] as const
export type Code = (typeof CODES)[number]
