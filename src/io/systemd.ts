// What systemd is told about this process, when it is that which started it (Type=notify): that it serves, that it stops, and
// again and again that its event loop turns.
//
// Invariants:
//   SD1. What this process starts never speaks for it: the address of systemd is taken out of the environment first.
//   SD2. Life is told by the event loop, at a third of the time within which systemd wants to hear of it.
import { execFile } from 'node:child_process'

const COMMAND = 'systemd-notify'
const WAIT_MS = 5_000

export interface ServiceEnvironment {
  NOTIFY_SOCKET?: string | undefined
  WATCHDOG_USEC?: string | undefined
  WATCHDOG_PID?: string | undefined
}

export class Systemd {
  readonly #socket: string
  readonly #watchdogMs: number | null
  readonly #trouble: (sentence: string) => void
  #timer: NodeJS.Timeout | null = null
  #hasTold = false

  private constructor(socket: string, watchdogMs: number | null, trouble: (line: string) => void) {
    this.#socket = socket
    this.#watchdogMs = watchdogMs
    this.#trouble = trouble
  }

  /** null: systemd does not wait for this process. `trouble` is told once if systemd cannot be told. */
  static taken(
    environment: ServiceEnvironment,
    trouble: (sentence: string) => void,
  ): Systemd | null {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = environment
    // SD1.
    delete environment.NOTIFY_SOCKET
    delete environment.WATCHDOG_USEC
    delete environment.WATCHDOG_PID
    if (socket === undefined || socket === '') return null
    const isOurs = pid === undefined || pid === String(process.pid)
    const ms = Number(usec ?? 0) / 1_000
    return new Systemd(socket, isOurs && ms > 0 ? ms : null, trouble)
  }

  ready(status: string): void {
    this.#tell('--ready', `--status=${status}`)
    if (this.#watchdogMs === null) return
    this.#timer = setInterval(() => this.#tell('WATCHDOG=1'), this.#watchdogMs / 3).unref() // SD2
  }

  /** The watchdog still wants to hear of it until it has ended. */
  stopping(): void {
    this.#tell('STOPPING=1', '--status=stops: answers what was accepted')
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  #tell(...words: readonly string[]): void {
    const env = { ...process.env, NOTIFY_SOCKET: this.#socket }
    execFile(COMMAND, words, { env, timeout: WAIT_MS }, (error) => {
      if (error === null || this.#hasTold) return
      this.#hasTold = true
      this.#trouble(`systemd cannot be told that this process serves: ${error.message.trim()}`)
    })
  }
}
