// The process of one member: locks its data folder, opens its log, starts it, says that it is ready, and stops it when it
// is told to, by a signal or by the end of the pipe that its supervisor holds.
//
// Invariants:
//   M1. A folder that another process uses is refused before anything in it is touched.
//   M2. The process ends within STOP_MS of being told to, or of the end of the drain that it was started with; a second signal ends it at once, unless it has a
//       supervisor, who alone decides that.
//   M5. What its launcher says of processes that died before it served counts as soon as it serves.
//   M4. SIGHUP ends nobody: the log goes on in the file that is at its path then.
//   M3. A broken invariant or an unhandled error is logged, and ends the process: the journal recovers it.
import { join } from 'node:path'
import { LOCK_FILE, lockFolder } from '../io/folder-lock.ts'
import { hide, makePrivate } from '../io/folders.ts'
import { LOG_NAME } from '../io/log-file.ts'
import { HISTORY_NAME } from '../operator/history.ts'
import { type Log, openLog, reopenLog } from '../operator/log.ts'
import { PROBLEMS_NAME } from '../operator/past-problems.ts'
import { paths } from '../store/layout.ts'
import type { MemberConfig } from './config.ts'
import { type Died, LauncherPipe } from './launcher-pipe.ts'
import { takeFolder } from './own-folder.ts'

const STOP_MS = 10_000
/** By any of them a member's data folder is known. */
const MEMBERS_FILES: readonly string[] = [
  ...[LOCK_FILE, LOG_NAME, HISTORY_NAME, PROBLEMS_NAME, paths.superblock, paths.journal],
  ...paths.checkpoints,
]

/** A member that serves. */
export interface RunningMember {
  /** Of this start. */
  readonly boot: string
  /** host:port as initiators reach it. */
  readonly portal: string
  /** http://host:port */
  readonly api: string
  /** Settles, with a sentence, if it must not go on: its disk failed. */
  readonly failed: Promise<string>
  /** Moves the sessions away; settles when none is left, none of the rest can leave, or the time is over. */
  drain(withinMs: number): Promise<void>
  /** Its launcher has seen that process end. */
  died(process: Died): void
  /**
   * Gives its slices to members that have copies, as long as `othersGoOn`; answers what was accepted, asks the initiators to come
   * back (event 3), closes.
   */
  stop(othersGoOn: () => boolean): Promise<void>
}

export type StartMember = (config: MemberConfig, log: Log) => Promise<RunningMember>

export interface MemberProcess {
  readonly config: MemberConfig
  readonly start: StartMember
  /** The supervisor's pipe; the member stops when it ends. null: there is no supervisor. */
  readonly lifeline: NodeJS.ReadableStream | null
  readonly ready: (line: ReadyLine) => void
  /** How long it may move its sessions away when it is told to stop; 0: it does not. */
  readonly drainWithinMs?: number
}

export interface ReadyLine {
  readonly ready: true
  readonly id: string
  readonly portal: string
  readonly api: string
  readonly pid: number
  readonly boot: string
}

/** Settles once the member has stopped because it was told to; rejects with what else ended it. */
export async function runMember(settings: MemberProcess): Promise<void> {
  const { config, start, lifeline, ready, drainWithinMs = 0 } = settings
  // A socket may be all that is there: of a member whose folder was taken away while it ran.
  const isSocket = (name: string) => join(config.dataFolder, name) === config.peer
  await takeFolder(config.dataFolder, (name) => MEMBERS_FILES.includes(name) || isSocket(name))
  const lock = lockFolder(config.dataFolder)
  await makePrivate(config.dataFolder, { deep: true })
  for (const suffix of ['', '-wal', '-shm']) await hide(config.coordinationFile + suffix)
  const log = openLog(config.dataFolder, config.memberId)
  logFatalErrors(log)
  process.on('SIGHUP', () => reopenLog(log))
  // An order to stop that comes before the member serves is kept: half a start cannot be stopped cleanly.
  const pipe = lifeline === null ? null : new LauncherPipe(lifeline)
  const told = stopRequest(pipe)
  void told.then(() => endAnyway(log, drainWithinMs + STOP_MS))
  try {
    const member = await start(config, log)
    const { portal, api, boot } = member
    pipe?.whenDied((died) => member.died(died))
    log.info('start', `serves: portal ${portal}, API ${api}`, { portal, api })
    ready({ ready: true, id: config.memberId, portal, api, pid: process.pid, boot })
    const outcome = await Promise.race([
      told.then((why) => ({ kind: 'told' as const, why })),
      member.failed.then((why) => ({ kind: 'failed' as const, why })),
    ])
    if (outcome.kind === 'failed') throw new Error(outcome.why)
    log.info('stop', `stops: ${outcome.why}`, { why: outcome.why })
    if (drainWithinMs > 0) {
      await Promise.race([member.drain(drainWithinMs), member.failed])
      log.info('stop', 'has moved away what it could')
    }
    await member.stop(() => pipe?.allStop !== true)
    log.info('stopped', 'has stopped')
  } catch (error) {
    log.error('failed', error)
    throw error
  } finally {
    lock.release()
  }
}

function stopRequest(pipe: LauncherPipe | null): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  if (pipe !== null) {
    // A signal to a whole process group or unit comes here too, besides the supervisor's own: however often it comes, it
    // is one order. A supervisor that wants it now kills.
    process.on('SIGTERM', () => resolve('SIGTERM'))
    process.on('SIGINT', () => {})
    void pipe.ended.then(() => resolve('supervisor gone'))
    return promise
  }
  let told = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (told) process.exit(1)
      told = true
      resolve(signal)
    })
  }
  return promise
}

function endAnyway(log: Log, withinMs: number): void {
  setTimeout(() => {
    log.error('stop', `not stopped after ${withinMs} ms`)
    process.exit(1)
  }, withinMs)
}

function logFatalErrors(log: Log): void {
  process.on('uncaughtExceptionMonitor', (error) => {
    log.error('fatal', error)
  })
}
