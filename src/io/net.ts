// The real Net: TCP and Unix sockets. Bytes are received into one buffer that all streams share, since a view is valid
// only during `received` and no two calls overlap; what must be kept is copied by the owner.
import { unlink } from 'node:fs/promises'
import { createConnection, createServer, type Server, Socket } from 'node:net'
import type { Address, Listener, Net, Stream, StreamOwner } from '../base/net.ts'
import { formatAddress } from '../base/net.ts'

/** Holds two bursts of 256 KiB, so that one system call takes what an initiator sends at once. */
const RECEIVE_BYTES = 512 * 1024
const receiveBuffer = new Uint8Array(RECEIVE_BYTES)

export class RealNet implements Net {
  async listen(address: Address, accept: (stream: Stream) => void): Promise<Listener> {
    if (address.kind === 'unix') await unlink(address.path).catch(ignoreMissing)
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      accept(new SocketStream(socket))
    })
    await opened(server, address)
    const bound = server.address()
    const actual: Address =
      address.kind === 'tcp' && bound !== null && typeof bound === 'object'
        ? { kind: 'tcp', host: address.host, port: bound.port }
        : address
    return { address: actual, close: () => closeServer(server) }
  }

  connect(address: Address, timeoutMs: number): Promise<Stream> {
    return new Promise((resolve, reject) => {
      // `onread` must be given at creation: it is what spares a buffer per read.
      let stream: SocketStream | null = null
      const onread = {
        buffer: receiveBuffer,
        callback: (bytes: number) => {
          stream?.deliver(receiveBuffer.subarray(0, bytes))
          return true
        },
      }
      const where =
        address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port }
      const socket = createConnection({ ...where, allowHalfOpen: true, onread, noDelay: true })
      const timer = setTimeout(() => {
        socket.destroy()
        reject(new Error(`no answer from ${formatAddress(address)} within ${timeoutMs} ms`))
      }, timeoutMs)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.removeAllListeners('error')
        stream = new SocketStream(socket, true)
        resolve(stream)
      })
      socket.once('error', (cause) => {
        clearTimeout(timer)
        reject(new Error(`cannot connect to ${formatAddress(address)}`, { cause }))
      })
    })
  }
}

class SocketStream implements Stream {
  readonly remoteHost: string
  readonly localHost: string
  readonly localPort: number
  readonly #socket: Socket
  /** Whether Node delivers through `onread`, given at the creation of a connecting socket. */
  readonly #viaOnread: boolean
  #owner: StreamOwner | null = null
  #unwrittenBytes = 0
  readonly #sizes: number[] = []
  #closedReason = 'closed'
  readonly #written = (error?: Error | null): void => {
    if (error) return
    this.#unwrittenBytes -= this.#sizes.shift() ?? 0
    if (!this.#socket.destroyed) this.#owner?.written()
  }

  constructor(socket: Socket, viaOnread = false) {
    this.#socket = socket
    this.#viaOnread = viaOnread
    this.remoteHost = plainHost(socket.remoteAddress)
    this.localHost = plainHost(socket.localAddress)
    this.localPort = socket.localPort ?? 0
    socket.setNoDelay(true)
    // Until it is owned, an error must not end the process.
    socket.on('error', (error) => {
      this.#closedReason = error.message
    })
  }

  get unwrittenBytes(): number {
    return this.#unwrittenBytes
  }

  own(owner: StreamOwner): void {
    this.#owner = owner
    const socket = this.#socket
    if (!this.#viaOnread) socket.on('data', (bytes: Uint8Array) => this.deliver(bytes))
    socket.on('end', () => owner.ended())
    socket.on('close', () => owner.closed(this.#closedReason))
    if (socket.destroyed) setImmediate(() => owner.closed(this.#closedReason))
    socket.resume()
  }

  deliver(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#owner?.received(bytes)
  }

  write(bytes: Uint8Array): void {
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded) return
    this.#unwrittenBytes += bytes.length
    this.#sizes.push(bytes.length)
    socket.write(bytes, this.#written)
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }
}

function opened(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const where = formatAddress(address)
      const why =
        cause.code === 'EADDRINUSE'
          ? `${where} is in use by another process; choose another port or end that process`
          : `cannot listen on ${where}: ${cause.message}`
      reject(new Error(why, { cause }))
    })
    const ready = () => {
      server.removeAllListeners('error')
      server.on('error', () => undefined) // a failed accept concerns one connection only
      resolve()
    }
    if (address.kind === 'unix') server.listen(address.path, ready)
    else server.listen({ host: address.host, port: address.port, exclusive: true }, ready)
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    // Streams that were accepted live on; their owners close them.
    resolve()
  })
}

function plainHost(host: string | undefined): string {
  if (host === undefined) return ''
  return host.startsWith('::ffff:') ? host.slice(7) : host
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
