// What events are about.

/** In the order in which one look tells them. */
export const EVENT_KINDS = ['member', 'session', 'move', 'balance', 'problem', 'volume'] as const
export type EventKind = (typeof EVENT_KINDS)[number]
