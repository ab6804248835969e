// evenkeel top: what the load monitors measure, by member and by session, renewed each second.
import { Command } from 'commander'
import type { Member, Top } from '../api/schema.ts'
import type { ContextOf } from './context.ts'
import type { Screen } from './screen.ts'
import { formatMs, formatPercent, formatRate, formatSize } from './size.ts'

const REFRESH_MS = 1000
/** Cursor home, clear to the end of the screen. */
const CLEAR = '\x1b[H\x1b[J'

type TopMember = Top['members'][number]

export function topCommand(contextOf: ContextOf): Command {
  return new Command()
    .option('--once', 'print it once; so do pipes and -o json', false)
    .action(async ({ once }: { once: boolean }, command: Command) => {
      const { caller, screen } = contextOf(command)
      const refreshing = !once && screen.isTerminal && screen.isForPeople
      for (;;) {
        const top = await caller.top()
        if (refreshing) screen.print(CLEAR)
        screen.show(top, (now) => describeTop(screen, now))
        if (!refreshing) return
        await new Promise((resolve) => setTimeout(resolve, REFRESH_MS))
      }
    })
}

function describeTop(screen: Screen, top: Top): string {
  const members = screen.table(
    [
      'MEMBER',
      'LOAD>',
      'CPU>',
      'HOST>',
      'LOOP>',
      'DELAY>',
      'MEMORY>',
      'DISK>',
      'QUEUE>',
      'IOPS>',
      'BYTES/S>',
      'LATENCY>',
      'FORWARDED>',
      'FOR OTHERS>',
      'SESSIONS>',
    ],
    top.members.map(memberRow),
  )
  if (top.sessions.length === 0) return `${members}\n\nThere are no sessions.`
  const sessions = screen.table(
    [
      'SESSION',
      'MEMBER',
      'VOLUME',
      'STATE',
      'LOAD>',
      'IOPS>',
      'BYTES/S>',
      'QUEUE>',
      'LATENCY>',
      'FORWARDED>',
      'INITIATOR',
    ],
    top.sessions.map((session) => [
      session.id,
      session.member,
      session.volume,
      session.state,
      session.load === null ? '–' : session.load.toFixed(3),
      session.iops.toFixed(0),
      formatRate(session.bytesPerSecond),
      session.queueDepth.toFixed(1),
      formatMs(session.latencyMs),
      formatPercent(session.forwardedShare),
      session.initiator,
    ]),
  )
  return `${members}\n\n${sessions}`
}

const NOT_KNOWN = 12

function memberRow({ id, state, sessions, load }: TopMember): string[] {
  if (load === null) {
    const word: Member['state'] | 'no report' = state === 'silent' ? 'silent' : 'no report'
    return [id, word, ...Array<string>(NOT_KNOWN).fill('–'), String(sessions)]
  }
  return [
    id,
    formatPercent(load.utilisation),
    formatPercent(load.cpu),
    formatPercent(load.hostCpu),
    formatPercent(load.eventLoop),
    formatMs(load.eventLoopDelayMs),
    formatSize(load.memoryBytes),
    formatMs(load.diskLatencyMs),
    load.diskQueue.toFixed(1),
    load.iops.toFixed(0),
    formatRate(load.bytesPerSecond),
    formatMs(load.latencyMs),
    formatPercent(load.forwardedShare),
    load.handledIops.toFixed(0),
    String(sessions),
  ]
}
