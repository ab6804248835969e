// `evenkeel up`: a whole group on this machine, a process for each member, kept running.
//
// Invariants:
//   V1. A data folder or a port in use is refused with a sentence before any member is started.
//   V2. If one member cannot start, none is left behind.
//   V3. A group is never started with fewer members than it has: their slices would have no primary.
//   V4. What its members may store together is not more than the disk has room for.
//   V5. A group whose coordination file is gone is not founded anew over the pages that its members have.
//   V6. No member is started on a coordination file that is damaged, or older than what any member's folder knows, nor while
//       a folder that it names is missing: the first one would write to it, and those that refuse it would no longer see that
//       it is another line of the record.
import { chmod, lstat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Caller, isUnavailable } from '../api/caller.ts'
import { LOCK_FILE, lockFolder } from '../io/folder-lock.ts'
import { makeFolder, makePrivate } from '../io/folders.ts'
import { LAUNCHER, LAUNCHER_LOG } from '../io/log-file.ts'
import type { Died } from '../member/launcher-pipe.ts'
import { takeFolder } from '../member/own-folder.ts'
import { LAUNCHER_RECORD, writeLauncherRecord } from '../operator/launcher-record.ts'
import { type Log, openLog, reopenLog } from '../operator/log.ts'
import { roomForPages } from './budget.ts'
import { Child, type ChildEvent, type ReadyMember } from './child.ts'
import { tellChild } from './launcher-log.ts'
import { LauncherRecorder } from './launcher-recorder.ts'
import {
  COORDINATION_FILE,
  copiesOf,
  type GroupPlan,
  memberNames,
  planMembers,
  socketFolder,
  wordsFor,
} from './plan.ts'
import {
  CannotStart,
  numberOfMember,
  refuseTakenPorts,
  refuseWrongPlan,
  refuseWrongRecord,
} from './refusals.ts'
import { type Standing, standingIn } from './standing.ts'

export const DEFAULT_VOLUME = { name: 'vol1', bytes: 1024 ** 3 } as const
const VOLUME_TRIES_MS = 10_000
const TRY_AGAIN_MS = 100
const PRIVATE = 0o700

export interface Supervision {
  readonly plan: GroupPlan
  /** The command that runs a member with this configuration file. */
  readonly command: (configFile: string) => readonly string[]
  /** A line about a member or the group, for people. */
  readonly say: (line: string) => void
  /** Settles when a start under way is to be given up. */
  readonly giveUp: Promise<unknown>
  /** U1 of child.ts. */
  readonly restartWithinMs?: number
}

export interface RunningGroup {
  readonly api: string
  readonly members: readonly ReadyMember[]
  readonly volumes: readonly {
    readonly name: string
    readonly iqn: string
    readonly url: string
    readonly bytes: number
  }[]
  /** Idempotent; settles when every process is gone. */
  stop(): Promise<void>
  /** The launcher's log and the members' go on in the files that are at their paths then. */
  reopenLogs(): void
  /** Ends every process at once. */
  kill(): void
}

/** By any of them a group's data folder is known. */
function isGroups(name: string): boolean {
  return [LOCK_FILE, COORDINATION_FILE, LAUNCHER_RECORD].includes(name) || numberOfMember(name) > 0
}

/** null: it was given up before it was ready, and nothing is left of it. */
export async function superviseGroup(supervision: Supervision): Promise<RunningGroup | null> {
  const { plan, giveUp } = supervision
  const standing = standingIn(plan.dataFolder)
  await refuseWrongPlan(plan, standing)
  await takeFolder(plan.dataFolder, isGroups)
  const lock = lockFolder(plan.dataFolder)
  await makePrivate(plan.dataFolder, { deep: false })
  const log = openLog(plan.dataFolder, LAUNCHER, LAUNCHER_LOG)
  log.info('start', `starts ${plan.members} members`)
  const children: Child[] = []
  const stopAll = async () => {
    log.info('stop', 'stops all members')
    await Promise.all(children.map((child) => child.stop()))
    log.info('stopped', 'all members have stopped')
    lock.release()
  }
  let stopping: Promise<void> | null = null
  const stop = () => {
    stopping ??= stopAll()
    return stopping
  }
  const start = { ready: false, givenUp: false }
  void giveUp.then(() => {
    start.givenUp = !start.ready
    if (start.givenUp) for (const child of children) void child.stop()
  })
  try {
    await refuseTakenPorts(plan, standing)
    await refuseWrongRecord(plan)
    sayKept(supervision, standing)
    const files = await writeConfigs(plan, standing)
    const write = () =>
      writeLauncherRecord(join(plan.dataFolder, LAUNCHER_RECORD), launchedOf(children))
    write()
    const recorder = new LauncherRecorder(write, log)
    const record = () => recorder.changed()
    const died = (process: Died) => {
      for (const child of children)
        if (child.id !== process.member) child.tell({ word: 'died', ...process })
    }
    if (!start.givenUp) children.push(...makeChildren(supervision, files, { record, log, died }))
    const members = await Promise.all(children.map(startFirst))
    const api = members[0]?.api ?? ''
    const volumes = await someVolume(new Caller(api))
    start.ready = true
    const kill = () => {
      for (const child of children) child.kill()
    }
    const reopenLogs = () => {
      reopenLog(log)
      for (const child of children) child.reopenLog()
    }
    return { api, members, volumes, stop, kill, reopenLogs }
  } catch (error) {
    if (!start.givenUp) log.error('failed', reasonOf(error))
    await stop()
    if (start.givenUp) return null
    throw error
  }
}

/** What a group has stays, whatever is said now: its copies, and where its slices are. */
function sayKept({ plan, say }: Supervision, standing: Standing | null): void {
  if (plan.copies === 1 && plan.members > 1 && copiesOf(plan, standing) === 1)
    say(
      'With one copy of all data, a member that is down makes its part of every volume wait, and a disk that is lost takes it away for good.',
    )
  if (standing === null) return
  const idle = memberNames(plan.members).filter((id) => !standing.bearers.has(id))
  if (idle.length > 0) {
    const who = idle.length === 1 ? `${idle[0]} has` : `${idle.join(', ')} have`
    say(
      `${who} no slices: sessions are served there, and nothing is stored. 'evenkeel layout plan' says what would move there, and 'evenkeel layout apply' moves it.`,
    )
  }
  if (plan.copies === null || plan.copies === standing.copies) return
  const has = standing.copies === 1 ? '1 copy' : `${standing.copies} copies`
  say(
    `The group keeps ${has} of each slice, and goes on so: --copies ${plan.copies} is for a new group. 'evenkeel layout apply --copies ${plan.copies}' changes it.`,
  )
}

async function writeConfigs(
  plan: GroupPlan,
  standing: Standing | null,
): Promise<readonly string[]> {
  await makeSocketFolder(plan)
  const files: string[] = []
  const room = await roomForPages(plan.dataFolder, plan.members)
  const budgetBytes = Math.min(plan.budgetBytes ?? room, room) // V4
  for (const config of planMembers({ ...plan, budgetBytes }, standing)) {
    const file = join(plan.dataFolder, `${config.memberId}.json`)
    await writeFile(file, `${JSON.stringify(config, null, 2)}\n`)
    files.push(file)
  }
  return files
}

function launchedOf(children: readonly Child[]) {
  return Object.fromEntries(
    children.flatMap(({ id, launched }) => (launched === null ? [] : [[id, launched]])),
  )
}

interface Told {
  readonly log: Log
  readonly record: () => void
  readonly died: (process: Died) => void
}

function makeChildren(
  supervision: Supervision,
  files: readonly string[],
  { log, record, died }: Told,
): readonly Child[] {
  const { plan, command, say, restartWithinMs } = supervision
  return memberNames(plan.members).map((id, i) => {
    const settings = {
      id,
      command: command(files[i] ?? ''),
      firstWords: wordsFor(plan, id),
      ...(restartWithinMs === undefined ? {} : { restartWithinMs }),
      say: (line: string) => say(`${id} ${line}`),
      told: (event: ChildEvent) => tellChild(log, id, event),
      ...{ changed: record, died },
    }
    return new Child(settings)
  })
}

async function startFirst(child: Child): Promise<ReadyMember> {
  try {
    return await child.start()
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause)
    const member = child.id
    throw new CannotStart(`Member ${member} did not start: ${words}`, { cause, member })
  }
}

/** For the log, which has the words of a member that ended already. */
function reasonOf(error: unknown): unknown {
  const member = error instanceof CannotStart ? error.member : null
  return member === null ? error : `the group does not start without ${member}`
}

/** A folder in /tmp must be ours alone: anybody could have made it first. */
async function makeSocketFolder(plan: GroupPlan): Promise<void> {
  const folder = socketFolder(plan)
  if (folder === plan.dataFolder) return
  makeFolder(folder)
  const status = await lstat(folder)
  if (!status.isDirectory() || status.uid !== process.getuid?.()) {
    throw new CannotStart(`${folder} belongs to somebody else: name a shorter path with --data.`)
  }
  await chmod(folder, PRIVATE)
}

/** The volumes there are; a new group gets one, so that there is something to connect to. */
async function someVolume(caller: Caller): Promise<RunningGroup['volumes']> {
  const deadlineMs = performance.now() + VOLUME_TRIES_MS
  for (;;) {
    try {
      const { items } = await caller.volumes()
      if (items.length > 0) return items
      const { name, bytes } = DEFAULT_VOLUME
      return [await caller.createVolume({ name, bytes, blockBytes: 512, shared: true })]
    } catch (error) {
      if (!isUnavailable(error) || performance.now() > deadlineMs) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS))
  }
}
