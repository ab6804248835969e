// After the picture the group of the demo goes on, for a person to play with: more and less load, a member that is killed, and
// the page in the browser on which all of it is seen.
import { spawn } from 'node:child_process'
import type { Caller } from '../../api/caller.ts'
import type { Environment, Keyboard } from '../context.ts'
import type { Screen } from '../screen.ts'

/** Each has blocks of its own (worker.ts). */
const CLIENTS_MAX = 15
const FASTER = 1.5
const KEYS =
  '  a  one more client        f  all faster      k  kill a member (it is started again)\n' +
  '  d  one client less        s  all slower      q  stop everything'

/** A client of the demo, as far as keys are about it. */
export interface Client {
  readonly number: number
  /** Commands a second. */
  rate: number
  stop(): Promise<void>
}

export interface Play<C extends Client = Client> {
  readonly caller: Pick<Caller, 'members'>
  readonly api: string
  readonly workers: C[]
  /** One more, of this number. */
  readonly connect: (number: number) => Promise<C>
  /** Of one client, commands a second. */
  readonly rate: number
  readonly screen: Screen
  readonly keyboard: Keyboard | null
  /** Told to stop. */
  readonly stop: Promise<string>
}

/** Settles when somebody has had enough. */
export async function play<C extends Client>(settings: Play<C>): Promise<void> {
  const { api, screen, keyboard, stop } = settings
  screen.note(`\nThe group goes on. Watch it, and move sessions, in a browser: ${api}`)
  if (keyboard === null) {
    screen.note(`Try 'evenkeel --api ${api} top', or kill -9 one of its members. Ctrl-C stops it.`)
    await stop
    return
  }
  screen.note(KEYS)
  const enough = Promise.withResolvers<string>()
  let doing = Promise.resolve()
  const close = keyboard.open((key) => {
    if (key === 'q' || key === 'ctrl-c') enough.resolve('enough')
    else doing = doing.then(() => pressed(key, settings)).catch((error) => screen.note(said(error)))
  })
  try {
    await Promise.race([enough.promise, stop])
    await doing
  } finally {
    close()
  }
}

async function pressed<C extends Client>(key: string, settings: Play<C>): Promise<void> {
  const { workers, connect, rate, screen } = settings
  if (key === 'a') {
    const taken = new Set(workers.map(({ number }) => number))
    const number = Array.from({ length: CLIENTS_MAX }, (_, i) => i + 1).find((n) => !taken.has(n))
    if (number === undefined) return screen.note(`There are ${CLIENTS_MAX} clients: no more here.`)
    const worker = await connect(number)
    worker.rate = workers[0]?.rate ?? rate
    workers.push(worker)
    screen.note(`client${number} is there.`)
  } else if (key === 'd') {
    const worker = workers.pop()
    if (worker === undefined) return
    await worker.stop()
    screen.note(`client${worker.number} has logged out.`)
  } else if (key === 'f' || key === 's') {
    for (const worker of workers) worker.rate *= key === 'f' ? FASTER : 1 / FASTER
    screen.note(`Each client asks for ${Math.round(workers[0]?.rate ?? 0)} commands a second.`)
  } else if (key === 'k') await killOne(settings)
}

async function killOne({ caller, screen }: Pick<Play, 'caller' | 'screen'>): Promise<void> {
  const members = (await caller.members()).items.filter(({ pid }) => pid !== null)
  // The page is that of the first one.
  const victim = members.length > 1 ? members.at(-1) : members[0]
  if (victim === undefined || victim.pid === null) return
  process.kill(victim.pid, 'SIGKILL')
  screen.note(
    `${victim.id} (process ${victim.pid}) is killed: its clients log in elsewhere or wait.`,
  )
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Where somebody has a desktop; elsewhere the address that is printed has to do. */
export function openBrowser(url: string, environment: Environment): void {
  const isMac = process.platform === 'darwin'
  const hasDesktop = environment.DISPLAY !== undefined || environment.WAYLAND_DISPLAY !== undefined
  if (!isMac && !hasDesktop) return
  const opening = spawn(isMac ? 'open' : 'xdg-open', [url], { detached: true, stdio: 'ignore' })
  opening.on('error', () => {})
  opening.unref()
}
