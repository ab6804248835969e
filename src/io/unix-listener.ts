// A Unix socket that stays where it is known: it is bound under a name of its own and moved to its path, so that whoever
// closes it removes no other one; and while it listens its path is looked at, for cleaners of temporary files remove what
// they take for old.
//
//   bound ──the path is missing, or nobody answers there──▶ bound anew; the streams that were accepted live on
//
// Invariants:
//   UX1. A path at which another process answers is never taken, neither at the beginning nor later.
//   UX2. What is removed at the end is this very socket: a successor's file at the path stays.
//   UX3. A path that was removed is bound again within `lookMs`.
import { lstat, rename, unlink } from 'node:fs/promises'
import { createConnection, type Server } from 'node:net'
import { dirname, join } from 'node:path'

/** Of sockets of this process. */
let bindings = 0

export interface UnixListenerSettings {
  readonly path: string
  readonly lookMs: number
  /** Not listening yet; each accepts in the same way. */
  readonly newServer: () => Server
  /** A sentence for the log. */
  readonly tell: (sentence: string) => void
}

interface Bound {
  readonly server: Server
  readonly inode: bigint
}

export class UnixListener {
  readonly #settings: UnixListenerSettings
  #bound: Bound
  #timer: NodeJS.Timeout
  /** The look that is under way. */
  #looking: Promise<void> = Promise.resolve()
  #isClosed = false
  #told = ''

  private constructor(settings: UnixListenerSettings, bound: Bound) {
    this.#settings = settings
    this.#bound = bound
    this.#timer = this.#lookLater()
  }

  /** Rejects with Node's error (EADDRINUSE if somebody answers there). */
  static async listen(settings: UnixListenerSettings): Promise<UnixListener> {
    if ((await whoIsAt(settings.path)) === 'somebody') throw inUse(settings.path)
    return new UnixListener(settings, await bind(settings))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#looking
    this.#bound.server.close()
    if ((await inodeOf(this.#settings.path)) === this.#bound.inode)
      await remove(this.#settings.path)
  }

  #lookLater(): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#looking = this.#look().then(() => {
        if (!this.#isClosed) this.#timer = this.#lookLater()
      })
    }, this.#settings.lookMs)
    return timer.unref()
  }

  /** UX3. What cannot be done now (a folder that is gone, no room) is tried at the next look. */
  async #look(): Promise<void> {
    const { path } = this.#settings
    if ((await inodeOf(path)) === this.#bound.inode) return
    if ((await whoIsAt(path)) === 'somebody') return this.#tellOnce(`another process took ${path}`) // UX1
    try {
      const fresh = await bind(this.#settings)
      this.#bound.server.close()
      this.#bound = fresh
      this.#told = ''
      this.#settings.tell(`the socket ${path} had been removed, and is there again`)
    } catch (error) {
      this.#tellOnce(`the socket ${path} was removed and cannot be made again: ${String(error)}`)
    }
  }

  #tellOnce(sentence: string): void {
    if (sentence === this.#told) return
    this.#told = sentence
    this.#settings.tell(sentence)
  }
}

async function bind({ path, newServer }: UnixListenerSettings): Promise<Bound> {
  bindings += 1
  const binding = join(dirname(path), `~${(process.pid * 64 + (bindings % 64)).toString(36)}`)
  await remove(binding)
  const server = newServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path: binding }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
  // A connection that cannot be accepted (no file descriptors left) is lost to who came; those that are open live on.
  server.on('error', () => {})
  try {
    const inode = await inodeOf(binding)
    await rename(binding, path)
    return { server, inode: inode ?? 0n }
  } catch (error) {
    server.close()
    throw error
  }
}

/** A killed process leaves the file of its socket behind, at which nobody answers. */
function whoIsAt(path: string): Promise<'somebody' | 'nobody'> {
  return new Promise((resolve) => {
    const probe = createConnection({ path })
    probe.once('connect', () => {
      probe.destroy()
      resolve('somebody')
    })
    probe.once('error', (error: Error) => {
      const isNobody = ['ENOENT', 'ECONNREFUSED'].includes(codeOf(error))
      resolve(isNobody ? 'nobody' : 'somebody')
    })
  })
}

async function inodeOf(path: string): Promise<bigint | null> {
  try {
    return (await lstat(path, { bigint: true })).ino
  } catch {
    return null
  }
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

function inUse(path: string): Error {
  return Object.assign(new Error(`listen EADDRINUSE ${path}`), { code: 'EADDRINUSE' })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
