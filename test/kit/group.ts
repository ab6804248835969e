// A real group in a folder of its own for one test file, and what tests do with it: the API, the volume's URL at a member,
// Debian's tools. Nobody is moved or placed but by the test, unless it asks for that.
import { type ChildProcess, execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kill } from 'node:process'
import { expect } from 'vitest'
import type { Move, Session, Status, VolumeDetail } from '../../src/api/schema.ts'
import { alive, launcher, startGroup, startGroupAnywhere, stopGroup } from '../e2e/running-group.ts'

const QUIET = ['--placement', 'off', '--balance', 'off']
/** A member is started again as soon the tenth time as the first. */
const QUICK = ['--restart-within', '0.25']
/** Longer than any call takes that waits for the outcome of a move. */
const CALL_MS = 60_000

export interface Ended {
  readonly code: number | null
  /** Both streams, as they came. */
  readonly said: string
}

export class TestGroup {
  readonly folder: string
  readonly basePort: number
  process: ChildProcess
  readonly members: readonly string[]

  /** Settles when the group is ready; `stop` belongs to `afterAll`. */
  static async start(...more: string[]): Promise<TestGroup> {
    const folder = await mkdtemp(join(tmpdir(), 'evenkeel-group-'))
    try {
      const options = [...QUIET, ...QUICK, ...more]
      const dataFolder = join(folder, 'data')
      const { process, ready, basePort } = await startGroupAnywhere(dataFolder, ...options)
      // Nobody reads it any more, and a full pipe would stop the launcher.
      process.stdout?.resume()
      const members = ready.members.map(({ id }) => id)
      return new TestGroup(folder, basePort, process, members)
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  private constructor(
    folder: string,
    basePort: number,
    process: ChildProcess,
    members: readonly string[],
  ) {
    this.folder = folder
    this.basePort = basePort
    this.process = process
    this.members = members
  }

  /** In the same folder, on the same ports. */
  async startAgain(...more: string[]): Promise<void> {
    const options = [...QUIET, ...QUICK, ...more]
    const { process } = await startGroup(this.dataFolder, this.basePort, ...options)
    process.stdout?.resume()
    this.process = process
  }

  /** Stops all of it, and keeps its folder. */
  stopMembers(): Promise<number | null> {
    return stopGroup(this)
  }

  /** As a power cut would, but for the page cache: no process has the time to bring anything home. */
  async killAll(): Promise<void> {
    const { members } = await this.status()
    const closed = once(this.process, 'close')
    this.process.kill('SIGKILL')
    const pids = members.flatMap(({ pid }) => (pid === null ? [] : [pid]))
    for (const pid of pids) kill(pid, 'SIGKILL')
    await closed
    await expect.poll(() => pids.filter(alive), { interval: 10 }).toEqual([])
  }

  get dataFolder(): string {
    return join(this.folder, 'data')
  }

  /** The exit code of the launcher. */
  async stop(): Promise<number | null> {
    const code = await stopGroup(this)
    await rm(this.folder, { recursive: true, force: true })
    return code
  }

  /** Each member has an API; that of the first is the group's. */
  apiOf(member: string): string {
    const n = this.members.indexOf(member)
    return `http://127.0.0.1:${n <= 0 ? this.basePort : this.basePort + this.members.length + n}`
  }

  portOf(member: string): number {
    return this.basePort + 1 + this.members.indexOf(member)
  }

  url(member: string, iqn: string): string {
    return `iscsi://127.0.0.1:${this.portOf(member)}/${iqn}/0`
  }

  /** The body, whatever the status; rejects if nobody answers, or not in time. */
  async call<T>(
    path: string,
    body?: object,
    at = 'm1',
    limitMs = CALL_MS,
  ): Promise<{ status: number; body: T }> {
    const headers = { 'content-type': 'application/json' }
    const posted = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) }
    const signal = AbortSignal.timeout(limitMs)
    const response = await fetch(`${this.apiOf(at)}/api/v1/${path}`, { ...posted, signal })
    return { status: response.status, body: (await response.json()) as T }
  }

  /** PATCH; the status. */
  async change(path: string, body: object): Promise<number> {
    const headers = { 'content-type': 'application/json' }
    const patched = { method: 'PATCH', headers, body: JSON.stringify(body) }
    const response = await fetch(`${this.apiOf('m1')}/api/v1/${path}`, patched)
    await response.arrayBuffer()
    return response.status
  }

  /** DELETE; the status. */
  async remove(path: string): Promise<number> {
    const response = await fetch(`${this.apiOf('m1')}/api/v1/${path}`, { method: 'DELETE' })
    await response.arrayBuffer()
    return response.status
  }

  async createVolume(name: string, bytes: number, blockBytes = 512): Promise<VolumeDetail> {
    const request = { name, bytes, blockBytes, shared: true }
    const { status, body } = await this.call<VolumeDetail>('volumes', request)
    if (status !== 201) throw new Error(`volume ${name}: ${JSON.stringify(body)}`)
    return body
  }

  async sessions(): Promise<readonly Session[]> {
    return (await this.call<{ items: Session[] }>('sessions')).body.items
  }

  /** As the API at a member tells it. */
  async status(at = 'm1'): Promise<Status> {
    return (await this.call<Status>('status', undefined, at)).body
  }

  /** Code and subject of what is wrong, as `evenkeel status` tells it, with its exit code. */
  async health(at = 'm1'): Promise<{ readonly code: number | null; readonly problems: string[] }> {
    const { code, said } = await tool(launcher, ['--api', this.apiOf(at), 'status', '-o', 'json'])
    const { problems } = JSON.parse(said) as Status
    return { code, problems: problems.map((problem) => `${problem.code} ${problem.subject}`) }
  }

  /** As a member other than itself sees it; null: silent, or between two runs. */
  async pidOf(member: string): Promise<number | null> {
    const witness = this.members.find((other) => other !== member)
    const found = (await this.status(witness)).members.find(({ id }) => id === member)
    return found?.state === 'up' ? found.pid : null
  }

  /** By the operator; settles with the record of the move when its outcome is known. */
  async move(session: string, to: string): Promise<Move> {
    const { status, body } = await this.call<Move>(`sessions/${session}/move`, { to })
    if (status !== 200) throw new Error(`move ${session} to ${to}: ${JSON.stringify(body)}`)
    return body
  }
}

/** Runs a tool to its end; it is killed if that takes longer. */
export async function tool(
  command: string,
  args: readonly string[],
  limitMs = 60_000,
): Promise<Ended> {
  const child = execFile(command, args, { timeout: limitMs, killSignal: 'SIGKILL' })
  let said = ''
  child.stdout?.on('data', (text: string) => {
    said += text
  })
  child.stderr?.on('data', (text: string) => {
    said += text
  })
  const [code] = await once(child, 'close')
  return { code, said }
}

/** The q-th part, 0 … 1, of the values by size. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}
