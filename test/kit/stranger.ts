// An initiator that is not ours, qemu-io with libiscsi: logged in until it is ended, it takes a command at a time.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'vitest'

const TRIES = 10

export class Stranger {
  readonly #process: ChildProcess
  #said = ''

  /** A member that is busy may ask for another try, which libiscsi leaves to people. */
  static async connect(url: string): Promise<Stranger> {
    for (let tries = 1; ; tries += 1) {
      const stranger = new Stranger(url)
      if (await stranger.#isIn()) return stranger
      if (tries === TRIES) throw new Error(stranger.#said)
    }
  }

  private constructor(url: string) {
    this.#process = spawn('qemu-io', ['-f', 'raw', '-d', 'unmap', url])
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text
      })
    }
  }

  async #isIn(): Promise<boolean> {
    const ended = once(this.#process, 'close').then(() => false)
    return Promise.race([
      ended,
      this.do('length', /\d [KMGT]iB/).then(
        () => true,
        () => false,
      ),
    ])
  }

  /** Settles once it has said what is awaited. */
  async do(command: string, awaited: RegExp): Promise<void> {
    this.#said = ''
    this.#process.stdin?.write(`${command}\n`)
    await expect.poll(() => this.#said, { interval: 20, timeout: 60_000 }).toMatch(awaited)
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const closed = once(this.#process, 'close')
    this.#process.stdin?.end('quit\n')
    await closed
  }
}
