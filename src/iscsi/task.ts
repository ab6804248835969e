// A task is one SCSI command of a session, from its header to its response. Tasks are pooled: after that it is another's.
//
//   free ──header──▶ queued ──in order, not held──▶ delivered ──solicit, data missing──▶ collecting
//                      │                             │   ▲────────all data here──────────┘  │
//                      │ abort: free at once         │ abort: aborted, until the consumer   │ abort: free at once
//                      ▼                             ▼ answers or releases it               ▼
//
//   queued      waits for an earlier CmdSN, or is held
//   delivered   the consumer works on it; its data must not move
//   collecting  nobody works on it; Data-Outs are expected
//   aborted     nothing will be answered; the consumer still uses its data
import { assert } from '../base/assert.ts'
import type { Share } from '../base/budget.ts'
import type { BufferPool } from '../base/buffer-pool.ts'

export type TaskState = 'free' | 'queued' | 'delivered' | 'collecting' | 'aborted'

/** What was wrong with a write's data (RFC 7143 §7.8, §11.4.7.2); `noRoom`: nothing, but there was no room for it. */
export type DataError = 'none' | 'damaged' | 'unexpected' | 'wrongAmount' | 'noRoom'

const cdbBytes = 16
const nothing = new Uint8Array(0)

export class Task {
  state: TaskState = 'free'
  initiatorTaskTag = 0
  /** Flat number, or -1: addressing that no logical unit of ours has. */
  lun = 0
  /** The LUN's eight bytes as they came, for R2T. */
  readonly lunBytes = new Uint8Array(8)
  /** 16 bytes, more with an extended CDB. */
  cdb: Uint8Array
  /** `taskAttribute`. */
  attribute = 0
  expectedDataTransferLength = 0
  isRead = false
  isWrite = false
  immediate = false
  /** Takes credit of the command window. */
  counted = false
  cmdSn = 0
  expStatSn = 0
  receivedAtMs = 0
  dataError: DataError = 'none'
  /** The data so far, all from offset 0 on. */
  dataBytes = 0
  /** What `solicit` asked for; what is beyond it came unsolicited and is not wanted. */
  wantedBytes = 0
  /** Unsolicited Data-Outs are still to come. */
  unsolicitedOpen = false
  /** The R2T that is out, or reservedTag. */
  targetTransferTag = 0
  r2tSn = 0
  r2tEnd = 0
  /** DataSN of the next Data-Out of the sequence, or of the read's next Data-In. */
  dataSn = 0
  /** There is room for all of its data. */
  isAsked = false
  /** This burst had an error: the rest of it is discarded, until its F bit. */
  discarding = false
  readonly commandAction: { readonly kind: 'command'; readonly task: Task }
  readonly dataAction: { readonly kind: 'data'; readonly task: Task }
  readonly #ownCdb = new Uint8Array(cdbBytes)
  readonly #buffers: BufferPool
  #buffer: Uint8Array<ArrayBuffer> | null = null
  /** That the buffer is counted in. */
  #share: Share | null = null

  constructor(buffers: BufferPool) {
    this.#buffers = buffers
    this.cdb = this.#ownCdb
    this.commandAction = { kind: 'command', task: this }
    this.dataAction = { kind: 'data', task: this }
  }

  /** The write's data so far, at most what is wanted: a view, made at each call, of a pooled buffer that lives until the response. */
  get data(): Uint8Array {
    return this.#buffer === null
      ? nothing
      : this.#buffer.subarray(0, Math.min(this.dataBytes, this.wantedBytes))
  }

  /** Bytes of its buffer: what it costs. */
  get roomBytes(): number {
    return this.#buffer?.length ?? 0
  }

  /** Its buffer holds `bytes` from now on, and what it costs is counted in `share`. */
  makeRoom(bytes: number, share: Share): void {
    const buffer = this.#buffer
    if (buffer === null || buffer.length < bytes) {
      const larger = this.#buffers.take(bytes)
      if (buffer !== null) {
        larger.set(buffer.subarray(0, this.dataBytes))
        this.#buffers.give(buffer)
      }
      this.#buffer = larger
    }
    if (this.#share !== null) this.#share.held -= buffer?.length ?? 0
    this.#share = share
    share.held += this.roomBytes
  }

  /** Puts bytes behind the data so far; there is room. */
  append(data: Uint8Array): void {
    assert(this.#buffer !== null, 'there is room')
    this.#buffer.set(data, this.dataBytes)
    this.dataBytes += data.length
  }

  takeCdb(bytes: Uint8Array, at: number): void {
    for (let i = 0; i < cdbBytes; i += 1) this.#ownCdb[i] = bytes[at + i] ?? 0
    this.cdb = this.#ownCdb
  }

  /** §11.2.2.3: the bytes behind the first 16. */
  extendCdb(rest: Uint8Array): void {
    const whole = new Uint8Array(cdbBytes + rest.length)
    whole.set(this.#ownCdb)
    whole.set(rest, cdbBytes)
    this.cdb = whole
  }

  /** Its buffer goes back to the pool: nobody reads it any more. */
  free(): void {
    this.state = 'free'
    if (this.#buffer === null) return
    if (this.#share !== null) this.#share.held -= this.#buffer.length
    this.#buffers.give(this.#buffer)
    this.#buffer = null
    this.#share = null
  }
}

/** Keeps the tasks of one session for their next use; as many as were ever under way at once. */
export class TaskPool {
  readonly #buffers: BufferPool
  readonly #free: Task[] = []

  constructor(buffers: BufferPool) {
    this.#buffers = buffers
  }

  take(): Task {
    return this.#free.pop() ?? new Task(this.#buffers)
  }

  give(task: Task): void {
    task.free()
    this.#free.push(task)
  }
}
