// The SystemProbe of this process and host.
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import type { SystemLook, SystemProbe } from '../base/system-probe.ts'
import type { Traffic } from './net.ts'

/** The interface that initiators reach, if it is this member's own. */
interface OwnLink {
  /** Each way; 0: it is not. */
  readonly bytesPerSecond: number
}

export class RealSystemProbe implements SystemProbe {
  #cpu = process.cpuUsage()
  #host = hostTimes()
  #loop: EventLoopUtilization = performance.eventLoopUtilization()
  #atMs = performance.now()
  readonly #traffic: Readonly<Traffic>
  readonly #own: OwnLink
  #counted = { receivedBytes: 0, sentBytes: 0, unixBytes: 0 }

  constructor(traffic: Readonly<Traffic>, own: OwnLink) {
    this.#traffic = traffic
    this.#own = own
  }

  look(): SystemLook {
    const nowMs = performance.now()
    const cpu = process.cpuUsage()
    const host = hostTimes()
    const loop = performance.eventLoopUtilization()
    const used = cpu.user + cpu.system - this.#cpu.user - this.#cpu.system
    const total = host.total - this.#host.total
    const delta = performance.eventLoopUtilization(loop, this.#loop)
    const { tcp, unix } = this.#traffic
    const unixBytes = unix.receivedBytes + unix.sentBytes
    const before = this.#counted
    this.#counted = { ...tcp, unixBytes }
    const receivedBytes = tcp.receivedBytes - before.receivedBytes
    const sentBytes = tcp.sentBytes - before.sentBytes
    const look: SystemLook = {
      seconds: (nowMs - this.#atMs) / 1_000,
      cpuSeconds: used / 1e6,
      hostCpu: total > 0 ? 1 - (host.idle - this.#host.idle) / total : 0,
      loopUtilisation: delta.utilization,
      rssBytes: process.memoryUsage.rss(),
      networkBytes: receivedBytes + sentBytes + unixBytes - before.unixBytes,
      ...{ receivedBytes, sentBytes, interfaceBytes: this.#own.bytesPerSecond },
    }
    this.#cpu = cpu
    this.#host = host
    this.#loop = loop
    this.#atMs = nowMs
    return look
  }
}

/** From /proc/stat where there is one: os.cpus() takes milliseconds on hosts with many cores. */
function hostTimes(): { idle: number; total: number } {
  try {
    const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] ?? ''
    const times = line.split(/\s+/).slice(1, 9).map(Number)
    const total = times.reduce((sum, time) => sum + time, 0)
    return { idle: (times[3] ?? 0) + (times[4] ?? 0), total }
  } catch {
    let idle = 0
    let total = 0
    for (const { times } of cpus()) {
      idle += times.idle
      total += times.user + times.nice + times.sys + times.idle + times.irq
    }
    return { idle, total }
  }
}
