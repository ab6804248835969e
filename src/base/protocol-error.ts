// Bytes from outside that break a protocol. Thrown by decoders, caught where a connection is read: it is answered or
// closed.

export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  /** What was broken, as the standard prints it: 'RFC 7143 §11.2'. */
  readonly clause: string

  constructor(reason: string, clause: string) {
    super(`${reason} (${clause})`)
    this.clause = clause
  }
}
