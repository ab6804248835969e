// evenkeel up: a whole group on this machine, until it is told to stop.

import { closeSync, openSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError, Option } from 'commander'
import { API_PORT_DEFAULT } from '../api/caller.ts'
import { formatSize } from '../base/figures.ts'
import { memberId } from '../base/ids.ts'
import { machineMemoryBytes } from '../io/machine-memory.ts'
import { Systemd } from '../io/systemd.ts'
import { defaultCacheBytes } from '../member/cache-size.ts'
import { BACK_OFF_MAX_MS } from '../supervisor/child.ts'
import { COPIES_DEFAULT, MEMBERS_DEFAULT, MEMBERS_MAX } from '../supervisor/plan.ts'
import { membersIn } from '../supervisor/refusals.ts'
import { type RunningGroup, superviseGroup } from '../supervisor/supervise.ts'
import {
  API_DEFAULT,
  type Environment,
  type GlobalOptions,
  type Outside,
  screenOf,
} from './context.ts'
import { dataOption } from './data-folder.ts'
import { parseCopies, parseSeconds } from './listing.ts'
import type { Screen } from './screen.ts'
import { parseSize } from './size.ts'

interface UpOptions {
  readonly members?: number
  readonly data: string
  readonly basePort?: number
  readonly copies?: number
  readonly placement: 'on' | 'off'
  readonly balance?: 'on' | 'off' | 'advise'
  readonly budget?: number
  readonly cache?: number
  readonly restartWithin: number
  readonly acceptDamage: readonly string[]
  readonly acceptLoss: readonly string[]
}

/** Megabytes; V8's own choice is 16. Measured: as fast, and 50 MB less of each member stays resident. */
const YOUNG_GENERATION = '--max-semi-space-size=4'

/** How one calls this program: what is installed is JavaScript (scripts/package.ts), and on the PATH. */
const COMMAND = import.meta.url.endsWith('.js') ? 'evenkeel' : './bin/evenkeel'

const PORT_MAX = 65_535

/** How often it is looked whether npm, if that started us, is still there. */
const PARENT_LOOK_MS = 500

export function upCommand(outside: Outside): Command {
  return new Command()
    .option(
      '--members <count>',
      `members; those there are, or ${MEMBERS_DEFAULT} in a new group`,
      parseCount,
    )
    .addOption(dataOption(outside.environment, 'where everything is kept').argParser(parseFolder))
    .option(
      '--base-port <port>',
      `the first of the consecutive ports in use; as they were, or from ${API_PORT_DEFAULT} in a new group`,
      parsePort,
    )
    .option(
      '--copies <count>',
      `copies of all data, each on another member; as it was, or ${COPIES_DEFAULT} in a new group (1 of a single member)`,
      parseCopies,
    )
    .addOption(
      new Option('--placement <mode>', 'place new sessions by load')
        .choices(['on', 'off'])
        .default('on'),
    )
    .addOption(
      new Option(
        '--balance <mode>',
        'move sessions by load; as it was, or on in a new group',
      ).choices(['on', 'off', 'advise']),
    )
    .option(
      '--budget <size>',
      'what all volumes together may take, as 100G; what the disk has free',
      parseBudget,
    )
    .option(
      '--cache <size>',
      'memory of all members together for blocks that are read often; a 16th of what there is',
      parseSize,
    )
    .option(
      '--restart-within <seconds>',
      'the longest that a member that ends again and again waits for its next start',
      parseSeconds,
      BACK_OFF_MAX_MS / 1000,
    )
    .option(
      '--accept-damage <members...>',
      'go on with their folders, though acknowledged writes are missing from them; only about what no other member has in sync',
      [],
    )
    .option(
      '--accept-loss <members...>',
      'begin anew in the place of their folders: what only these held is lost',
      [],
    )
    .action(async (options: UpOptions, command: Command) => {
      const { output } = command.optsWithGlobals<GlobalOptions>()
      await up(options, screenOf(outside, output), outside.environment)
    })
}

async function up(options: UpOptions, screen: Screen, environment: Environment): Promise<void> {
  const dataFolder = resolve(options.data)
  const stopRequest = watchForStop(environment)
  // Before a member is started, which would speak for the launcher.
  const systemd = Systemd.taken(process.env, (line) => screen.note(`evenkeel: ${line}`))
  const members = options.members ?? ((await membersIn(dataFolder)) || MEMBERS_DEFAULT)
  const supervision = {
    plan: {
      members,
      dataFolder,
      basePort: options.basePort ?? null,
      copies: options.copies ?? null,
      placement: options.placement,
      balance: options.balance ?? null,
      policy: {},
      budgetBytes: options.budget ?? null,
      cacheBytes: options.cache ?? members * defaultCacheBytes(machineMemoryBytes(), members),
      acceptDamage: options.acceptDamage.map(memberId),
      acceptLoss: options.acceptLoss.map(memberId),
      temporaryFolder: tmpdir(),
    },
    command: serveChild,
    restartWithinMs: 1000 * options.restartWithin,
    say: (line: string) => screen.note(line),
    giveUp: stopRequest.told,
  }
  const group = await superviseGroup(supervision)
  if (group === null) return
  announce(group, screen, dataFolder)
  systemd?.ready(`serves: ${group.members.length} members, API ${group.api}`)
  stopRequest.hungUp(() => group.reopenLogs())
  const why = await stopRequest.told
  screen.note(`${why}: stopping; what was accepted is answered first.`)
  systemd?.stopping()
  stopRequest.again(() => group.kill())
  await group.stop()
  systemd?.close()
  screen.note('Stopped; the same command starts it again.')
}

export function serveChild(configFile: string): readonly string[] {
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const serve = ['serve', '--config', configFile, '--lifeline', '--output', 'json']
  return [process.execPath, YOUNG_GENERATION, main, ...serve]
}

function announce(group: RunningGroup, screen: Screen, dataFolder: string): void {
  const volumes = group.volumes.map(({ name, iqn, url }) => ({ name, iqn, url }))
  const members = group.members.map(({ id, portal, pid }) => ({ id, portal, pid }))
  const line = { ready: true, api: group.api, members, volumes }
  screen.show(line, () => readyText(group, screen, dataFolder))
}

function readyText(group: RunningGroup, screen: Screen, dataFolder: string): string {
  const { bold } = screen.colours
  const portal = group.members[0]?.portal ?? ''
  const first = group.volumes[0]
  const lines = [
    bold(
      `Evenkeel is ready after ${(performance.now() / 1000).toFixed(1)} s: ${group.members.length} members, data in ${dataFolder}`,
    ),
    '',
    ...group.members.map(({ id, portal: at }) => `  ${id}  portal ${at}`),
    '',
    ...group.volumes.map(({ name, bytes, url }) => `  ${name}  ${formatSize(bytes)}  ${url}`),
    '',
  ]
  if (first !== undefined) {
    lines.push(
      'Connect to any member; each serves every volume:',
      `  qemu-img info ${first.url}`,
      `  iscsiadm -m discovery -t sendtargets -p ${portal}`,
      `  iscsiadm -m node -T ${first.iqn} -p ${portal} --login`,
      '',
    )
  }
  const command = `${COMMAND}${group.api === API_DEFAULT ? '' : ` --api ${group.api}`}`
  lines.push(
    `Look at it in another terminal: ${command} status`,
    // Terminals take what follows an address as a part of it.
    `Watch it in a browser: ${group.api}`,
    'Ctrl-C stops everything.',
  )
  return lines.join('\n')
}

interface StopRequest {
  readonly told: Promise<string>
  /** What a second signal does. */
  again(act: () => void): void
  /** What SIGHUP does: it is an order to reopen the logs, unless it says that the terminal is gone. */
  hungUp(act: () => void): void
}

function watchForStop(environment: Environment): StopRequest {
  const { promise, resolve: tell } = Promise.withResolvers<string>()
  let onAgain: (() => void) | null = null
  const signalled = (signal: string) => {
    onAgain?.()
    tell(signal)
  }
  process.on('SIGTERM', () => signalled('SIGTERM'))
  process.on('SIGINT', () => signalled('Ctrl-C'))
  let onHangUp: (() => void) | null = null
  const hadTerminal = hasTerminal()
  process.on('SIGHUP', () => {
    if (hadTerminal && !hasTerminal()) signalled('the terminal is gone')
    else onHangUp?.()
  })
  // npm does not pass a SIGTERM on: it just leaves, and nobody would stop the group.
  if (environment.npm_lifecycle_event !== undefined) {
    const parent = process.ppid
    const timer = setInterval(() => {
      if (process.ppid === parent) return
      clearInterval(timer)
      tell('npm is gone')
    }, PARENT_LOOK_MS)
    timer.unref()
  }
  return {
    told: promise,
    again: (act) => {
      onAgain = act
    },
    hungUp: (act) => {
      onHangUp = act
    },
  }
}

/** Whether this process has a terminal that would end it. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}

function parseCount(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= MEMBERS_MAX) return count
  throw new InvalidArgumentError(`A group on one machine has 1 to ${MEMBERS_MAX} members.`)
}

function parsePort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 1 && port <= PORT_MAX) return port
  throw new InvalidArgumentError(`Give a port from 1 to ${PORT_MAX}.`)
}

function parseFolder(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('Name a folder.')
}

function parseBudget(text: string): number {
  const bytes = parseSize(text)
  if (bytes > 0) return bytes
  throw new InvalidArgumentError('Nothing could be written: give the volumes some room.')
}
