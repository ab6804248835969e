// A whole group started as a user starts it, with bin/evenkeel, in a folder and on ports of its own.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freeBasePort, onFreePorts } from '../../src/supervisor/free-ports.ts'

export const checkout = fileURLToPath(new URL('../..', import.meta.url))
export const launcher = `${checkout}bin/evenkeel`
const HOST = '127.0.0.1'
/** Of a group of three: a portal and an API each. */
const PORTS = 6

export interface Ready {
  readonly api: string
  readonly members: readonly {
    readonly id: string
    readonly portal: string
    readonly pid: number
  }[]
  readonly volumes: readonly { readonly name: string; readonly iqn: string; readonly url: string }[]
}

export interface RunningGroup {
  readonly process: ChildProcess
  readonly ready: Ready
  readonly startMs: number
}

/** Settles with the line of `up -o json`; rejects with what it said if it ends before. `basePort` null: it is not said. */
export function startGroup(
  dataFolder: string,
  basePort: number | null,
  ...more: string[]
): Promise<RunningGroup> {
  return startGroupOf(launcher, dataFolder, basePort, ...more)
}

/** The same with the launcher of any checkout of this project. */
export async function startGroupOf(
  launcher: string,
  dataFolder: string,
  basePort: number | null,
  ...more: string[]
): Promise<RunningGroup> {
  const ports = basePort === null ? [] : ['--base-port', String(basePort)]
  const args = ['up', '--data', dataFolder, ...ports, '-o', 'json', ...more]
  const begunMs = performance.now()
  const child = spawn(launcher, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = once(child, 'close').then(([code]) => {
    throw new Error(`up ended with exit code ${code}: ${said}`)
  })
  const line = once(createInterface({ input: child.stdout }), 'line')
  const [text] = await Promise.race([line, ended])
  const startMs = performance.now() - begunMs
  const ready = JSON.parse(text)
  if (ready.ready !== true) await ended
  ended.catch(() => {})
  return { process: child, ready, startMs }
}

/** On ports that nobody uses. */
export function startGroupAnywhere(
  dataFolder: string,
  ...more: string[]
): Promise<RunningGroup & { readonly basePort: number }> {
  return onFreePorts(HOST, PORTS, async (basePort) => {
    const group = await startGroup(dataFolder, basePort, ...more)
    return { ...group, basePort }
  })
}

/** The first of `count` consecutive ports that are free now: for what is not started, or may fail on them. */
export const freeRange = (count: number): Promise<number> => freeBasePort(HOST, count)

/** SIGTERM, and its exit code. */
export async function stopGroup(group: Pick<RunningGroup, 'process'>): Promise<number | null> {
  const { exitCode, signalCode } = group.process
  if (exitCode !== null || signalCode !== null) return exitCode
  const closed = once(group.process, 'close')
  group.process.kill('SIGTERM')
  const [code] = await closed
  return code
}

export const run = promisify(execFile)

/** A process that has ended and that nobody has waited for is still listed, as a zombie. */
export function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
