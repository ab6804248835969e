// What happened in simulations, counted: a rule that is never needed is not tested by any of them.
export interface Totals {
  answers: number
  /** Commands that a task management function ended. */
  aborted: number
  /** LOGICAL UNIT RESETs that were complete, and that could not be made sure of. */
  resets: number
  resetsRejected: number
  unmaps: number
  /** COMPARE AND WRITEs that wrote, and that did not. */
  swaps: number
  miscompares: number
  discoveries: number
  logins: number
  redirects: number
  movesOrdered: number
  movesCommitted: number
  movesAbandoned: number
  movesLost: number
  /** Of the committed ones, those that balance began; and those that balance was switched off during. */
  balanceMoved: number
  movedWhileOff: number
  /** Proposals of balance that were denied. */
  balanceDenied: number
  /** New sessions that were sent to another member for its load. */
  placed: number
  /** Sessions that came to where they were moved. */
  returned: number
  /** Open moves that ended at another member than planned. */
  reclaimed: number
  /** Open moves that nobody came for. */
  expired: number
  /** Sessions that were closed by the barrier of a login. */
  barrierClosed: number
  /** Sessions that a barrier left alone though their initiator had not answered: their owner, another member, holds them. */
  barrierHeld: number
  /** Requests that a primary refused for their generation. */
  refused: number
  /** The group record was lost, or an older one was put in its place; and members that refused that at their start. */
  recordsLost: number
  recordsRefused: number
  /** Calls to the coordinator without an answer. */
  unknown: number
  /** Writes that came to a primary once more and were answered from memory. */
  deduplicated: number
  crashes: number
  /** Members that stopped as they were told to, in time. */
  stops: number
  pauses: number
  cuts: number
  /** Logins of hosts that contend for a volume that is not shared. */
  ownTaken: number
  ownRefused: number
  /** Folders that were refused, being empty or older; and the losses that were accepted. */
  foldersRefused: number
  /** Begun anew, since others had what was missing. */
  foldersReplaced: number
  oldFoldersRefused: number
  lossesAccepted: number
  /** Members that started without segments in which they have pages. */
  segmentsLost: number
  /** Commands that were answered with MEDIUM ERROR, about what is lost. */
  mediumErrors: number
  /** Portals of members that were away, at which another one answered. */
  standIns: number
  /** Slices that came to another primary, from one that was silent or from one that gave them; copies that were taken out of them, and that joined them. */
  takeOvers: number
  handOvers: number
  /** Slices that were wanted elsewhere; of those the ones with one copy that came there; that were to have more copies, and fewer; that were dropped where they had been. */
  relocations: number
  soleMoved: number
  copiesMore: number
  copiesLess: number
  slicesDropped: number
  copiesRemoved: number
  /** Members were told that a process of another one is dead. */
  deathsTold: number
  learnersJoined: number
  /** What primaries had under way when they were none any more. */
  lateStales: number
  /** Writes that a primary knew from the one before it. */
  retriesElsewhere: number
  /** Blocks that have rotted, and pages that were mended by what another copy has. */
  blocksRotten: number
  mendedAtPrimaries: number
  mendedAtCopies: number
}

export function noTotals(): Totals {
  return {
    answers: 0,
    aborted: 0,
    resets: 0,
    resetsRejected: 0,
    unmaps: 0,
    swaps: 0,
    miscompares: 0,
    discoveries: 0,
    logins: 0,
    redirects: 0,
    movesOrdered: 0,
    movesCommitted: 0,
    movesAbandoned: 0,
    movesLost: 0,
    balanceMoved: 0,
    movedWhileOff: 0,
    balanceDenied: 0,
    placed: 0,
    returned: 0,
    reclaimed: 0,
    expired: 0,
    barrierClosed: 0,
    barrierHeld: 0,
    refused: 0,
    recordsLost: 0,
    recordsRefused: 0,
    unknown: 0,
    deduplicated: 0,
    crashes: 0,
    stops: 0,
    pauses: 0,
    cuts: 0,
    ownTaken: 0,
    ownRefused: 0,
    foldersRefused: 0,
    foldersReplaced: 0,
    oldFoldersRefused: 0,
    lossesAccepted: 0,
    segmentsLost: 0,
    mediumErrors: 0,
    standIns: 0,
    takeOvers: 0,
    handOvers: 0,
    relocations: 0,
    soleMoved: 0,
    copiesMore: 0,
    copiesLess: 0,
    slicesDropped: 0,
    copiesRemoved: 0,
    deathsTold: 0,
    learnersJoined: 0,
    lateStales: 0,
    retriesElsewhere: 0,
    blocksRotten: 0,
    mendedAtPrimaries: 0,
    mendedAtCopies: 0,
  }
}

/** Each must be above zero in a run that is worth its name. */
export const mustHappen = [
  'aborted',
  'resets',
  'unmaps',
  'swaps',
  'miscompares',
  'discoveries',
  'stops',
  'movesCommitted',
  'balanceMoved',
  'movedWhileOff',
  'balanceDenied',
  'placed',
  'reclaimed',
  'expired',
  'barrierClosed',
  'barrierHeld',
  'refused',
  'recordsLost',
  'recordsRefused',
  'unknown',
  'deduplicated',
  'ownTaken',
  'ownRefused',
  'foldersRefused',
  'oldFoldersRefused',
  'lossesAccepted',
  'segmentsLost',
  'mediumErrors',
] as const satisfies readonly (keyof Totals)[]

/** Likewise, where slices have several copies. What is lost for good is tried with one. */
export const mustHappenToCopies = [
  'takeOvers',
  'handOvers',
  'relocations',
  'soleMoved',
  'copiesMore',
  'copiesLess',
  'slicesDropped',
  'copiesRemoved',
  'deathsTold',
  'learnersJoined',
  'lateStales',
  'retriesElsewhere',
  'blocksRotten',
  'mendedAtPrimaries',
  'mendedAtCopies',
  'recordsLost',
  'foldersReplaced',
] as const satisfies readonly (keyof Totals)[]

export function addTotals(sum: Totals, more: Totals): void {
  for (const key of Object.keys(sum) as (keyof Totals)[]) sum[key] += more[key]
}
