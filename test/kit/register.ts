// Is a history of reads and writes of one register linearizable? For writes of unique values this is decided by zones
// (Gibbons and Korach, "Testing shared memories", 1997): the operations on a value span a zone, forward if some operation
// on it had ended before another began, else backward. No two forward zones may overlap, none may hold a backward one.

export interface RegisterWrite {
  readonly kind: 'write'
  readonly value: number
  readonly fromMs: number
  /** Infinity: it may still take effect. */
  toMs: number
  /** Somebody was told that it has happened; else it may never have. */
  isAnswered: boolean
}

export interface RegisterRead {
  readonly kind: 'read'
  readonly value: number
  readonly fromMs: number
  readonly toMs: number
}

interface Zone {
  readonly value: number
  /** The earliest end and the latest beginning of the operations on the value. */
  firstEndMs: number
  lastBeginMs: number
  isSeen: boolean
}

/** What is wrong, or null. The register begins as 0, as if written before everything. */
export function whyNotLinearizable(
  history: readonly (RegisterWrite | RegisterRead)[],
): string | null {
  const zones = new Map<number, Zone & { readonly writtenFromMs: number }>()
  const initial = { kind: 'write', value: 0, fromMs: -2, toMs: -1, isAnswered: true } as const
  for (const one of [initial, ...history]) {
    if (one.kind !== 'write') continue
    const { value, fromMs, toMs, isAnswered } = one
    zones.set(value, {
      value,
      writtenFromMs: fromMs,
      firstEndMs: toMs,
      lastBeginMs: fromMs,
      isSeen: isAnswered,
    })
  }
  for (const one of history) {
    if (one.kind !== 'read') continue
    const zone = zones.get(one.value)
    if (zone === undefined) return `read ${one.value}, which nobody wrote`
    if (one.toMs < zone.writtenFromMs) return `read ${one.value} before it was written`
    zone.isSeen = true
    zone.firstEndMs = Math.min(zone.firstEndMs, one.toMs)
    zone.lastBeginMs = Math.max(zone.lastBeginMs, one.fromMs)
  }
  const seen = [...zones.values()].filter(({ isSeen }) => isSeen)
  const forward = seen
    .filter(({ firstEndMs, lastBeginMs }) => firstEndMs < lastBeginMs)
    .sort((a, b) => a.firstEndMs - b.firstEndMs)
  for (const [i, zone] of forward.entries()) {
    const next = forward[i + 1]
    if (next !== undefined && next.firstEndMs < zone.lastBeginMs) {
      return `${zone.value} and ${next.value} were each current before and after the other`
    }
  }
  for (const zone of seen) {
    if (zone.firstEndMs < zone.lastBeginMs) continue
    const around = forward.find(
      ({ firstEndMs, lastBeginMs }) =>
        firstEndMs < zone.lastBeginMs && zone.firstEndMs < lastBeginMs,
    )
    if (around !== undefined) return `${zone.value} happened while ${around.value} stayed current`
  }
  return null
}
