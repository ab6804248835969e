// Serial number arithmetic on 32-bit sequence numbers (RFC 7143 §4.2.2, RFC 1982): 1 comes after 0xffffffff.

/** How far `to` is ahead of `from`: negative if it is behind, in [-2^31, 2^31). */
export function ahead(from: number, to: number): number {
  return (to - from) | 0
}

export function after(sn: number, count = 1): number {
  return (sn + count) >>> 0
}
