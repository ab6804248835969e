// What is wrong with the group: problems, each with a code, since when, whom it concerns and what to do. Pure: what can be
// wrong is in findings.ts, the facts are gathered in health-watch.ts.
//
// Invariants:
//   HE1. A problem is told by its code and its subject, and keeps its `since` for as long as it is found at each look.
//   HE2. What must last before it is a problem (SLOW_DISK, IMBALANCED) is not told earlier, and its `since` is when it began.
//   HE3. The worst comes first, and the health of the group is that of its worst problem.
//   HE4. Names of volumes and sessions are bounded; their counts are not.
import {
  type HealthCode,
  type HealthProblem,
  healthCode,
  type Severity,
} from '../api/health-schema.ts'
import { type Finding, findings } from './findings.ts'
import type { GroupFacts } from './health-facts.ts'

/** What was found at the looks before: since when, by code and subject, in ms since 1970. */
export type HealthMemory = ReadonlyMap<string, number>

export interface Look {
  readonly problems: readonly HealthProblem[]
  readonly memory: HealthMemory
}

const NAMES_MAX = 10
const severities: readonly Severity[] = ['error', 'warning']

/** HE1 to HE4. `nowMs` is in ms since 1970. */
export function problemsOf(facts: GroupFacts, before: HealthMemory, nowMs: number): Look {
  const memory = new Map<string, number>()
  const problems: HealthProblem[] = []
  for (const code of healthCode.options) {
    for (const finding of findings[code](facts)) {
      const key = `${code} ${finding.subject}`
      const sinceMs = before.get(key) ?? Math.min(nowMs, finding.sinceMs ?? nowMs)
      memory.set(key, sinceMs)
      if (nowMs - sinceMs >= (finding.afterMs ?? 0))
        problems.push(tell(code, finding, sinceMs, facts))
    }
  }
  const worst = (problem: HealthProblem) => severities.indexOf(problem.severity)
  return { problems: problems.sort((a, b) => worst(a) - worst(b)), memory }
}

/** HE3. */
export function healthOf(problems: readonly HealthProblem[]): 'ok' | Severity {
  return problems[0]?.severity ?? 'ok'
}

/** HE4. */
function tell(
  code: HealthCode,
  finding: Finding,
  sinceMs: number,
  facts: GroupFacts,
): HealthProblem {
  const { subject, severity, sentence, action, volumes, sessionsOf } = finding
  const names = facts.volumes.filter(({ id }) => volumes?.has(id)).map(({ name }) => name)
  const ids = facts.sessions
    .filter(({ volume, member }) => volumes?.has(volume) === true || member === sessionsOf)
    .map(({ id }) => id)
  return {
    code,
    severity,
    subject,
    since: new Date(sinceMs).toISOString(),
    sentence,
    action,
    volumes: { count: names.length, names: names.sort().slice(0, NAMES_MAX) },
    sessions: { count: ids.length, ids: ids.slice(0, NAMES_MAX) },
  }
}
