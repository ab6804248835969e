// The keep-alive of a session judges how long its initiator may be silent. It counts the ticks of its connection and not the
// time, so that a member that stood still itself (stopped, or its host asleep) reads what has come meanwhile before it judges
// anybody.
//
// Initiators with a ping of their own (Linux, QEMU, FreeBSD 5 s, ESXi 15 s) are never asked. The others (Windows, bare
// libiscsi) answer only when their application serves the socket, and a virtual machine may stand still for a while:
// hence a minute, the time for which Windows and others keep requests, before a session is given up.
//
// Invariants:
//   I1. An initiator from which nothing came for 20 s is asked for a sign of life, and given up after 60 s of silence.
//   I2. One that owes a barrier the answer to its NOP-In for 60 s is given up too, whatever else comes of it: what is
//       held for it will not be executed, and it does better on a new connection.
//   I3. One that was asked for data and sends none for 10 s while others wait for the room that this takes is given up.

/** Of the NOP-In that only asks for a sign of life: no barrier's, whose tags begin with 1. */
export const SIGN_OF_LIFE_TAG = 0
const ASK_TICKS = 20
const SILENT_TICKS = 60
const STALLED_TICKS = 10

export class KeepAlive {
  #lastArrivalMs = Number.NEGATIVE_INFINITY
  #quietTicks = 0
  #owed: number | null = null
  #owedTicks = 0
  #dataOuts: number | null = null
  #stalledTicks = 0

  /** About once a second; `owed` is the oldest NOP-In of a barrier that is not answered; `dataOuts` have come so far, while others wait for the room of more. */
  tick(
    lastArrivalMs: number,
    owed: number | null,
    dataOuts: number | null,
  ): 'wait' | 'ask' | 'over' | 'stalled' {
    this.#quietTicks = lastArrivalMs === this.#lastArrivalMs ? this.#quietTicks + 1 : 0
    this.#lastArrivalMs = lastArrivalMs
    this.#owedTicks = owed !== null && owed === this.#owed ? this.#owedTicks + 1 : 0
    this.#owed = owed
    const isStalled = dataOuts !== null && dataOuts === this.#dataOuts
    this.#stalledTicks = isStalled ? this.#stalledTicks + 1 : 0
    this.#dataOuts = dataOuts
    if (this.#stalledTicks >= STALLED_TICKS) return 'stalled' // I3
    if (this.#quietTicks >= SILENT_TICKS || this.#owedTicks >= SILENT_TICKS) return 'over'
    return this.#quietTicks === ASK_TICKS ? 'ask' : 'wait'
  }
}
