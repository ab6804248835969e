// The Net port: ordered byte streams between addresses. Implemented by io/net.ts (TCP and Unix sockets) and sim/net.ts.

export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/** What the owner of a stream must answer to. Every call comes from a turn of the event loop of its own, never from inside a call on the stream. */
export interface StreamOwner {
  /** `bytes` is a view into a receive buffer that is reused: valid only during the call. */
  received(bytes: Uint8Array): void
  /** The other side half-closed (FIN): no more bytes will come; we may still write. */
  ended(): void
  /** One call for each `write`, in order, when its bytes may be reused. Not called for writes that `closed` cut off. */
  written(): void
  /** The stream is gone, by either side or by an error. Called exactly once, and last. */
  closed(reason: string): void
}

export interface Stream {
  /** The other side's host without port ('127.0.0.1'), or '' for a Unix socket. */
  readonly remoteHost: string
  /** The address that the other side connected to, as it sees it; for the portal that a target answers with. */
  readonly localHost: string
  readonly localPort: number
  /** Begins delivery to `owner`; called exactly once, in the turn in which the stream was handed over. */
  own(owner: StreamOwner): void
  /** Sends the bytes, which must not change until `written`. Never refuses; the owner bounds what it has unwritten. A write after `end` or close is dropped. */
  write(bytes: Uint8Array): void
  /** As many writes, one after the other, in as few calls of the system as it takes. */
  writeAll(parts: readonly Uint8Array[]): void
  /** Bytes handed to `write` and not yet reported `written`. */
  readonly unwrittenBytes: number
  /** Half-closes after what was written; what the other side still sends is delivered. */
  end(): void
  /** Closes at once, dropping what was not sent. */
  destroy(): void
  /** Stops and restarts `received`: back-pressure towards the other side. */
  pause(): void
  resume(): void
}

export interface Listener {
  /** The address in use (the port, if 0 was asked for). */
  readonly address: Address
  /** Stops accepting; streams that were accepted live on. */
  close(): Promise<void>
}

export interface Net {
  /** Rejects with a sentence that names the address if it cannot be had. `accept` must call `stream.own` before it returns. */
  listen(address: Address, accept: (stream: Stream) => void): Promise<Listener>
  /** Rejects if the stream is not open within `timeoutMs`. The caller calls `own` in the turn in which the promise settles. */
  connect(address: Address, timeoutMs: number): Promise<Stream>
}

export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${host}:${address.port}`
}

/** As `formatAddress` wrote it. */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) return { kind: 'unix', path: text.slice(5) }
  const colon = text.lastIndexOf(':')
  const host = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  return { kind: 'tcp', host, port: Number(text.slice(colon + 1)) }
}
