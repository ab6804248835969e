// The real Net: TCP and Unix sockets of Node. Bytes are read into one buffer for all streams and handed on as a view:
// measured, `onread` with one reused buffer costs 1.1 µs a command less than 'data' events.
import type { Server } from 'node:net'
import { createConnection, createServer, Socket } from 'node:net'
import type { Address, Listener, Net, Stream, StreamOwner } from '../base/net.ts'
import { formatAddress } from '../base/net.ts'
import { UnixListener } from './unix-listener.ts'

/** Two immediate writes of 256 KiB fit, so that a burst is one read. */
const RECEIVE_BYTES = 1024 * 1024
/** sun_path holds 108 bytes with its end; longer names would be cut off silently. */
const UNIX_PATH_BYTES = 107

const LOOK_MS = 2_000

/** Bytes on sockets; only grows. */
export interface SocketBytes {
  receivedBytes: number
  sentBytes: number
}

/** Of all sockets of this process's Net: initiators come by TCP, the other members of this host by Unix sockets. */
export interface Traffic {
  readonly tcp: SocketBytes
  readonly unix: SocketBytes
}

export interface SystemNetSettings {
  /** The address of this host from which TCP connections come; undefined: as the system chooses. */
  readonly from: string | undefined
  /** How often the path of a Unix socket is looked at. */
  readonly lookMs: number
  /** A sentence for the log. */
  readonly tell: (sentence: string) => void
}

export class SystemNet implements Net {
  readonly traffic: Traffic = {
    tcp: { receivedBytes: 0, sentBytes: 0 },
    unix: { receivedBytes: 0, sentBytes: 0 },
  }
  // One for all: a view is valid only during the call, and reads are not nested.
  readonly #receive = new Uint8Array(RECEIVE_BYTES)
  readonly #settings: SystemNetSettings

  constructor(settings: Partial<SystemNetSettings> = {}) {
    this.#settings = { from: undefined, lookMs: LOOK_MS, tell: () => undefined, ...settings }
  }

  async listen(address: Address, accept: (stream: Stream) => void): Promise<Listener> {
    assertPathFits(address)
    const newServer = () => this.#server(accept, this.traffic[address.kind])
    try {
      if (address.kind === 'unix') {
        const { path } = address
        const { lookMs, tell } = this.#settings
        const listener = await UnixListener.listen({ path, lookMs, newServer, tell })
        return { address, close: () => listener.close() }
      }
      const server = newServer()
      await open(server, address)
      // A connection that cannot be accepted (no file descriptors left) is lost to who came; those that are open live on.
      server.on('error', () => {})
      return { address: boundAddress(server, address), close: () => close(server) }
    } catch (error) {
      throw listenError(address, error)
    }
  }

  #server(accept: (stream: Stream) => void, traffic: SocketBytes): Server {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
    server.on('connection', (accepted: Socket) => {
      const stream = new SocketStream(this.#receive, traffic)
      stream.adopt(takeOver(accepted, stream))
      accept(stream)
    })
    return server
  }

  connect(address: Address, timeoutMs: number): Promise<Stream> {
    assertPathFits(address)
    return new Promise((resolve, reject) => {
      const stream = new SocketStream(this.#receive, this.traffic[address.kind])
      const where =
        address.kind === 'unix'
          ? { path: address.path }
          : { host: address.host, port: address.port, ...localAddress(this.#settings.from) }
      const socket = createConnection({
        ...where,
        allowHalfOpen: true,
        noDelay: true,
        onread: stream.onread,
      })
      const fail = (why: string, cause?: unknown) => {
        clearTimeout(timer)
        socket.removeListener('connect', opened)
        socket.destroy()
        reject(new Error(`cannot connect to ${formatAddress(address)}: ${why}`, { cause }))
      }
      const timer = setTimeout(() => fail(`no answer in ${timeoutMs} ms`), timeoutMs)
      const failed = (error: Error) => fail(codeOf(error) || error.message, error)
      const opened = () => {
        clearTimeout(timer)
        socket.removeListener('error', failed)
        stream.adopt(socket)
        resolve(stream)
      }
      socket.once('connect', opened)
      socket.once('error', failed)
    })
  }
}

class SocketStream implements Stream {
  remoteHost = ''
  localHost = ''
  localPort = 0
  unwrittenBytes = 0
  readonly onread: { buffer: Uint8Array; callback: (bytes: number, buffer: Uint8Array) => boolean }
  #socket: Socket | null = null
  #owner: StreamOwner | null = null
  #failure = ''
  #destroyed = false
  readonly #traffic: SocketBytes
  // Sizes of the writes that are not reported, oldest at #oldest; one entry a write instead of a closure.
  #sizes: number[] = []
  #oldest = 0

  constructor(receive: Uint8Array, traffic: SocketBytes) {
    this.#traffic = traffic
    this.onread = {
      buffer: receive,
      callback: (bytes, buffer) => {
        traffic.receivedBytes += bytes
        this.#owner?.received(buffer.subarray(0, bytes))
        return true
      },
    }
  }

  adopt(socket: Socket): void {
    this.#socket = socket
    this.remoteHost = plainHost(socket.remoteAddress)
    this.localHost = plainHost(socket.localAddress)
    this.localPort = socket.localPort ?? 0
    socket.on('end', () => this.#owner?.ended())
    socket.on('error', (error: Error) => {
      this.#failure = codeOf(error) || error.message
    })
    socket.on('close', () => {
      const reason = this.#destroyed ? 'destroyed' : this.#failure || 'ended by both sides'
      this.#owner?.closed(reason)
    })
  }

  own(owner: StreamOwner): void {
    if (this.#owner !== null) throw new Error('a stream is owned once')
    this.#owner = owner
  }

  write(bytes: Uint8Array): void {
    const socket = this.#socket
    if (socket === null || !socket.writable) return
    this.unwrittenBytes += bytes.length
    this.#traffic.sentBytes += bytes.length
    this.#sizes.push(bytes.length)
    socket.write(bytes, this.#written)
  }

  writeAll(parts: readonly Uint8Array[]): void {
    if (parts.length > 1) this.#socket?.cork()
    for (const part of parts) this.write(part)
    if (parts.length > 1) this.#socket?.uncork()
  }

  // One function for all writes: Node calls it in their order.
  readonly #written = (error?: Error | null): void => {
    if (error || this.#destroyed) return
    this.unwrittenBytes -= this.#sizes[this.#oldest] ?? 0
    this.#oldest++
    if (this.#oldest === this.#sizes.length) {
      this.#sizes.length = 0
      this.#oldest = 0
    } else if (this.#oldest >= 1024) {
      this.#sizes = this.#sizes.slice(this.#oldest)
      this.#oldest = 0
    }
    this.#owner?.written()
  }

  end(): void {
    this.#socket?.end()
  }

  destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    this.#socket?.destroy()
  }

  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }
}

/**
 * The accepted socket with our receive buffer. Node takes `onread` only from the one who makes a Socket, and its server
 * makes them itself; so its (still paused) socket is emptied and the handle given to one of ours.
 */
function takeOver(accepted: Socket, stream: SocketStream): Socket {
  const holder = accepted as unknown as { _handle: object | null }
  const handle = holder._handle
  holder._handle = null
  const options = { handle, allowHalfOpen: true, onread: stream.onread }
  return new Socket(options as ConstructorParameters<typeof Socket>[0])
}

function localAddress(from: string | undefined): { readonly localAddress?: string } {
  return from === undefined ? {} : { localAddress: from }
}

function open(server: Server, { host, port }: Address & { readonly kind: 'tcp' }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: 511 }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}

/** Node's own callback would wait for the streams, which live on; the address is free at once. */
function close(server: Server): Promise<void> {
  server.close()
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use by another process',
  EADDRNOTAVAIL: 'this host does not have the address',
  EACCES: 'permission denied',
  ENOENT: 'the folder does not exist',
}

/** A sentence that says why nobody can listen there. */
export function listenError(address: Address, cause: unknown): Error {
  const why = REASONS[codeOf(cause)] ?? (cause instanceof Error ? cause.message : String(cause))
  return new Error(`cannot listen on ${formatAddress(address)}: ${why}`, { cause })
}

function assertPathFits(address: Address): void {
  if (address.kind === 'unix' && Buffer.byteLength(address.path) > UNIX_PATH_BYTES)
    throw new Error(
      `the path of a Unix socket has at most ${UNIX_PATH_BYTES} bytes: ${address.path}`,
    )
}

function boundAddress(server: Server, asked: Address & { readonly kind: 'tcp' }): Address {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') return asked
  return { kind: 'tcp', host: asked.host, port: bound.port }
}

/** Without the prefix that a socket for both IP versions puts before IPv4 addresses. */
function plainHost(host: string | undefined): string {
  if (host === undefined) return ''
  return host.startsWith('::ffff:') ? host.slice(7) : host
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
