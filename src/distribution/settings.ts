// The settings of the policy that are numbers: range, unit, and what a change of each does. Checks of what an operator
// sets (policy.ts) and the descriptions in the API both come from this table.

export type Unit =
  | 'request-seconds'
  | 's'
  | 'ms'
  | 'of capacity, 0 … 1'
  | 'standard deviations'
  | 'times'
  | 'share, 0 … 1'
  | 'members'
  | 'proposals'
  | 'moves'
  | 'rounds'

export interface Setting {
  readonly least: number
  readonly most: number
  /** It counts whole things. */
  readonly whole?: true
  readonly unit: Unit
  /** What it is, and what more or less of it does. */
  readonly effect: string
}

const OF_CAPACITY = 'of capacity, 0 … 1'

/** Whether a session is worth a move. */
const worth = {
  kappa: {
    ...{ least: 0, most: 1e6, unit: 'request-seconds' },
    effect: 'Price of any move, whatever it brings. More: fewer moves, and later ones.',
  },
  horizonSeconds: {
    ...{ least: 10, most: 86_400, unit: 's' },
    effect:
      'Within this time a move must earn its price; regret that a session stays fades over it. More: smaller gains are worth a move.',
  },
  leastRegret: {
    ...{ least: 0, most: 1, unit: 'share, 0 … 1' },
    effect:
      'The clearer and more lasting a gap, the less of kappa regret must reach before the move: at least this share. Less: clear gaps are closed sooner.',
  },
  mostOff: {
    ...{ least: 1, most: 1e6, unit: 'times' },
    effect:
      'Once the last moves brought more or less than was predicted by this factor, moves cost as much more. More: wrong predictions are borne longer.',
  },
  sigmas: {
    ...{ least: 0, most: 20, unit: 'standard deviations' },
    effect:
      'A difference between two members counts from so much of what comes and goes by itself on. More: calmer, and more unevenness is left.',
  },
  longFactor: {
    ...{ least: 0, most: 1, unit: 'share, 0 … 1' },
    effect:
      'A smaller difference counts too, if the averages of 5 minutes show this share of it. More: small lasting differences are left.',
  },
  burstMargin: {
    ...{ least: 0, most: 5, unit: 'standard deviations' },
    effect:
      'Load that swings is judged as its mean and so much of its deviation. More: members with uneven load are given less.',
  },
  localityStep: {
    ...{ least: 0, most: 1, unit: 'share, 0 … 1' },
    effect:
      'If so much more of the pages of a session is at the other member, the move needs no difference in load. More: fewer moves towards data.',
  },
} as const satisfies Readonly<Record<string, Setting>>

/** Where a session may go. */
const where = {
  undershoot: {
    ...{ least: 0, most: 1, unit: OF_CAPACITY },
    effect:
      'How far below the mean a move may leave the member that the session leaves. More: large sessions move too.',
  },
  topImprovement: {
    ...{ least: 0, most: 1, unit: OF_CAPACITY },
    effect:
      'The fullest member may fall further below the mean if the fuller of the two ends falls by so much. Less: it gives up large sessions sooner.',
  },
  sourceSlack: {
    ...{ least: 0, most: 0.5, unit: OF_CAPACITY },
    effect:
      'A destination may become as full as the source was, less this. More: only emptier members are destinations.',
  },
  capFloor: {
    ...{ least: 0, most: 1, unit: OF_CAPACITY },
    effect: 'Up to here a destination may be filled, if capMean allows it too.',
  },
  capMean: {
    ...{ least: 1, most: 5, unit: 'times' },
    effect:
      'Up to so many times the mean of the group a destination may be filled, if capFloor allows it too.',
  },
  candidates: {
    ...{ least: 1, most: 64, whole: true, unit: 'members' },
    effect:
      'Destinations that a member considers in a round, and that a new session is compared with. More: better choices, more messages.',
  },
  placementStep: {
    ...{ least: 0, most: 1, unit: OF_CAPACITY },
    effect:
      'A new session is sent to another member only for such a difference. More: more sessions stay where they log in.',
  },
} as const satisfies Readonly<Record<string, Setting>>

/** How much is moved at once, and how often. */
const pace = {
  intervalSeconds: {
    ...{ least: 1, most: 300, unit: 's' },
    effect: 'Time between two rounds of a member. More: less work, and slower.',
  },
  tries: {
    ...{ least: 1, most: 16, whole: true, unit: 'proposals' },
    effect: 'Proposals for each move of a round, when destinations refuse.',
  },
  movesPerRound: {
    ...{ least: 1, most: 64, whole: true, unit: 'moves' },
    effect: 'Moves that a member begins in a round.',
  },
  grantsPerRound: {
    ...{ least: 1, most: 64, whole: true, unit: 'moves' },
    effect: 'Moves that a member accepts in a round.',
  },
  movesPerHour: {
    ...{ least: 0, most: 1e6, whole: true, unit: 'moves' },
    effect:
      'Moves away from one member in any hour; the emptying of a member is not counted. 0: none is moved by load.',
  },
  pauseMsPerHour: {
    ...{ least: 0, most: 3_600_000, unit: 'ms' },
    effect: 'A session that moves have paused for so long in an hour stays where it is.',
  },
  minAgeSeconds: {
    ...{ least: 0, most: 86_400, unit: 's' },
    effect: 'A session is not moved before it is so old. At most horizonSeconds.',
  },
  restSeconds: {
    ...{ least: 0, most: 86_400, unit: 's' },
    effect: 'Rest of a session after a move; it doubles with each further move of an hour.',
  },
  restDoublings: {
    ...{ least: 0, most: 10, whole: true, unit: 'times' },
    effect: 'How often restSeconds doubles at most.',
  },
  returnBanSeconds: {
    ...{ least: 0, most: 86_400, unit: 's' },
    effect: 'A session does not go back to a member that it left less than this ago.',
  },
} as const satisfies Readonly<Record<string, Setting>>

/** When a member is in a hurry, and what is believed of others. */
const moods = {
  urgentUtilisation: {
    ...{ least: 0.1, most: 1, unit: OF_CAPACITY },
    effect:
      'From this load of the last seconds on, a member goes by it and does not wait for averages of 40 s.',
  },
  riseUtilisation: {
    ...{ least: 0, most: 1, unit: OF_CAPACITY },
    effect: 'From this load on it does so too, if its load has just risen (riseSigmas, riseStep).',
  },
  riseSigmas: {
    ...{ least: 0, most: 100, unit: 'standard deviations' },
    effect: 'A rise by more than this of what comes and goes is one.',
  },
  riseStep: {
    ...{ least: 0, most: 1, unit: OF_CAPACITY },
    effect: 'A rise by less than this is none.',
  },
  urgentRounds: {
    ...{ least: 1, most: 100, whole: true, unit: 'rounds' },
    effect: 'So many rounds in a row it must be so. More: short bursts move nothing.',
  },
  silentSeconds: {
    ...{ least: 2, most: 300, unit: 's' },
    effect: 'A member whose last report is older is no destination.',
  },
  suspectSeconds: {
    ...{ least: 0, most: 3600, unit: 's' },
    effect: 'Nor is a member that was silent, for so long after it is back.',
  },
  reservationSeconds: {
    ...{ least: 2, most: 60, unit: 's' },
    effect: 'How long a destination keeps the room that it has promised to a session.',
  },
  badPathSeconds: {
    ...{ least: 0, most: 86_400, unit: 's' },
    effect: 'An initiator that could not reach a member is not sent there for so long.',
  },
  pauseStableSeconds: {
    ...{ least: 0, most: 60, unit: 's' },
    effect:
      'Pause by a move that is expected of an initiator that keeps its ISID (Linux), until moves have told: with its queue, part of the price. 0: pauses do not count.',
  },
  pauseRandomSeconds: {
    ...{ least: 0, most: 60, unit: 's' },
    effect: 'The same of one that chooses a new ISID for each login (libiscsi, QEMU).',
  },
} as const satisfies Readonly<Record<string, Setting>>

export const SETTINGS = { ...worth, ...where, ...pace, ...moods }
export type SettingName = keyof typeof SETTINGS
