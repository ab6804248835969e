// What processes have used so far, from /proc.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

export const TICKS_PER_SECOND = 100

/** On a core, all threads together, as the scheduler counts it: to the microsecond, where /proc/PID/stat has ticks of 10 ms. */
export function cpuUs(pids: readonly number[]): number {
  let ns = 0
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      ns += Number.parseInt(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1'), 10)
    }
  }
  return ns / 1000
}

/** Voluntary context switches of all threads. */
export function wakeUps(pids: readonly number[]): number {
  let all = 0
  for (const pid of pids) all += used(pid).get(WHOLE)?.wakeUps ?? 0
  return all
}

/** utime + stime (proc_pid_stat(5), fields 14 and 15). */
function ticksIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

/** Bytes that processes have handed to write(2) and its kin: to files, sockets and pipes. */
export function writtenBytes(pids: readonly number[]): number {
  return sumOf(pids, 'io', /^wchar: (\d+)/m)
}

/** From now on `mostResidentMiB` tells the most of what follows. */
export function forgetMostResident(pids: readonly number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

export function residentMiB(pids: readonly number[]): number {
  return sumOf(pids, 'status', /^VmRSS:\s+(\d+) kB/m) / 1024
}

export function mostResidentMiB(pids: readonly number[]): number {
  return sumOf(pids, 'status', /^VmHWM:\s+(\d+) kB/m) / 1024
}

function sumOf(pids: readonly number[], file: string, line: RegExp): number {
  let sum = 0
  for (const pid of pids) {
    sum += Number(line.exec(readFileSync(`/proc/${pid}/${file}`, 'latin1'))?.[1] ?? 0)
  }
  return sum
}

export interface Used {
  readonly cpuTicks: number
  /** Voluntary context switches. */
  readonly wakeUps: number
}

export const WHOLE = 'whole'

/** Of the whole process, and by thread. Each figure is cut to a tick: the whole is not the sum. */
export function used(pid: number): ReadonlyMap<string, Used> {
  const threads = new Map<string, Used>()
  let allWakeUps = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'latin1')
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, 'latin1')
    const name = /\((.*)\)/.exec(stat)?.[1] ?? ''
    const wakeUps = Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0)
    threads.set(`${name} ${task}`, { cpuTicks: ticksIn(stat), wakeUps })
    allWakeUps += wakeUps
  }
  const cpuTicks = ticksIn(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  return threads.set(WHOLE, { cpuTicks, wakeUps: allWakeUps })
}
