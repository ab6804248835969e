// The past of a group that there is not, for the tests of the API and the CLI.
import type { History, Moment } from './history-schema.ts'
import type { HistorySpan } from './operator.ts'

export function pastOf({ fromMs, stepSeconds, count }: HistorySpan): History {
  const ramp = Array.from({ length: count }, (_, at) => at / count)
  const none = ramp.map(() => null)
  const rest = { memoryBytes: none, latencyMs: none, sessions: none, usedBytes: none }
  const past = { utilisation: ramp, cpu: ramp, iops: none, bytesPerSecond: none, ...rest }
  const from = new Date(fromMs).toISOString()
  const members = [
    { id: 'm1', past },
    { id: 'm2', past: null },
  ]
  return { from, stepSeconds, count, members, problems: [] }
}

export function momentOf(atMs: number): Moment {
  const session = { id: '42', initiator: 'iqn.x:a', volume: 'vol1', load: 0.3 }
  return {
    at: new Date(atMs).toISOString(),
    members: [
      { id: 'm1', past: { sessions: [session], others: 0 } },
      { id: 'm2', past: null },
    ],
  }
}
