// What processes have used so far, from /proc.
import { readdirSync, readFileSync } from 'node:fs'

export const TICKS_PER_SECOND = 100

/** utime + stime of processes with all their threads (proc_pid_stat(5), fields 14 and 15). */
export function cpuTicks(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) ticks += ticksIn(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  return ticks
}

function ticksIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

/** Bytes that processes have handed to write(2) and its kin: to files, sockets and pipes. */
export function writtenBytes(pids: readonly number[]): number {
  let bytes = 0
  for (const pid of pids) {
    const [, wchar = '0'] = /^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1')) ?? []
    bytes += Number(wchar)
  }
  return bytes
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
  return threads.set(WHOLE, { cpuTicks: cpuTicks([pid]), wakeUps: allWakeUps })
}
