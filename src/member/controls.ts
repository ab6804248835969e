// Everything that a member answers to others besides operations, in one table: for each kind how its body is read, and who
// answers. The kinds are those of peer/controls.ts, all of them; what they are about is in peer/DESIGN.md.

import { readMoveName, readSessionName } from '../balance/account.ts'
import type { Balancer } from '../balance/balancer.ts'
import { readReport } from '../balance/heard.ts'
import { readMovedAgo } from '../balance/own-sessions.ts'
import { readAfter } from '../balance/recorder.ts'
import type { Clock } from '../base/clock.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { NOT_KEPT } from '../operator/balance-desk.ts'
import type { MemberOperator } from '../operator/operator.ts'
import { readMoment, readSpan } from '../operator/past.ts'
import { readOrder, readPin } from '../operator/session-orders.ts'
import {
  bytesMessage,
  type Control,
  type ControlKind,
  message,
  nothing,
  question,
} from '../peer/controls.ts'
import { encodeAllocation, readQuestion as readAllocated } from '../slice/allocation.ts'
import { bundle } from '../slice/bundles.ts'
import {
  readActivate,
  readAligned,
  readBeacon,
  readPage,
  readPaged,
} from '../slice/copy-messages.ts'
import type { Slices } from '../slice/slices.ts'
import { readProbes } from '../target/barrier.ts'
import { readGrant, readMove } from '../target/grants.ts'
import { readTaken } from '../target/logins.ts'
import { readRedirectQuestion } from '../target/redirect-questions.ts'
import { readPortalQuestion } from '../target/stand-ins.ts'
import type { Target } from '../target/target.ts'
import { readReset } from '../target/unit-reset.ts'
import type { Stopping } from './stopping.ts'

/** Who decides for a member by its load, and who answers for it to people; null: nobody, and nobody here is asked. */
export interface Staff {
  readonly balancer: Balancer | null
  readonly operator: Pick<
    MemberOperator,
    'summary' | 'condition' | 'moveHere' | 'pinHere' | 'drainHere' | 'pastHere' | 'momentHere'
  > | null
}

export interface Answerers {
  readonly stopping: Pick<Stopping, 'stops' | 'drained'>
  readonly clock: Clock
  readonly coordinator: Pick<Coordinator, 'nudge'>
  readonly slices: Slices
  readonly target: Target
  readonly staff: () => Staff
}

export function controlTable({
  stopping,
  clock,
  coordinator,
  slices,
  target,
  staff,
}: Answerers): Readonly<Record<ControlKind, Control>> {
  return {
    // The group
    nudge: message(nothing, () => coordinator.nudge()),
    stopping: message(nothing, (_, from) => stopping.stops(from)),
    drained: message(nothing, (_, from) => stopping.drained(from)),
    // Logins and sessions
    login: question(readRedirectQuestion, (login) => ({ yes: target.mayCome(login) })),
    'login-back': message(readRedirectQuestion, (login) => target.comesNot(login)),
    taken: message(readTaken, (taken) => target.taken(taken)),
    portal: question(readPortalQuestion, async (asked, from) => ({
      ...(await target.standIns.answer(from, asked)),
    })),
    probe: question(readProbes, (probes) => target.probe(probes)),
    reset: question(readReset, (reset) => target.reset(reset)),
    // Moves
    grant: question(readGrant, (asked, from) => {
      if (!target.takesSessions) return 'it takes no sessions now'
      return staff().balancer?.receiver.grant(from, asked) ?? 'granted'
    }),
    renew: message(readMove, (move) => staff().balancer?.receiver.renew(move)),
    release: message(readMove, (move) => staff().balancer?.receiver.release(move)),
    'move session': question(readOrder, (order) => staff().operator?.moveHere(order) ?? null),
    'pin session': question(readPin, (pin) => staff().operator?.pinHere(pin) ?? null),
    drain: question(nothing, () => staff().operator?.drainHere() ?? null),
    // Copies of slices
    beacon: question(readBeacon, (beacon, from) => slices.copies.beacon(beacon, from)),
    activate: bundle(clock, readActivate, (asked, from) => slices.copies.activate(asked, from)),
    versions: question(readPaged, (asked) => slices.copies.versions(asked)),
    operations: question(readPaged, (asked) => slices.copies.operations(asked)),
    aligned: bundle(clock, readAligned, (asked) => slices.copies.aligned(asked)),
    leaves: question(nothing, (_, from) => slices.copies.leaves(from)),
    mend: question(readPage, (asked, from) => slices.mendCopy(asked, from)),
    // Load
    report: bytesMessage(readReport, (report) => staff().balancer?.hear(report)),
    plan: question(nothing, () => staff().balancer?.account.plan() ?? null),
    why: question(readMoveName, (move) => staff().balancer?.account.why(move) ?? NOT_KEPT),
    'why not': question(
      readSessionName,
      (session) => staff().balancer?.account.whyNot(session) ?? NOT_KEPT,
    ),
    recording: question(readAfter, (after) => staff().balancer?.recorder.page(after) ?? null),
    end: question(nothing, () => staff().balancer?.end() ?? null),
    became: question(readMovedAgo, (moved) => staff().balancer?.became(moved) ?? null),
    // For people, and for volumes
    summary: question(nothing, () => staff().operator?.summary() ?? null),
    history: question(readSpan, async (span) => (await staff().operator?.pastHere(span)) ?? null),
    moment: question(
      readMoment,
      async (atMs) => (await staff().operator?.momentHere(atMs)) ?? null,
    ),
    condition: question(nothing, () => staff().operator?.condition() ?? null),
    allocation: question(readAllocated, async (asked) =>
      encodeAllocation(await slices.allocation(asked)),
    ),
  }
}
