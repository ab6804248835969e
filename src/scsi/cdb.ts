// Numbers in CDBs and parameter data: big-endian everywhere (SPC-4 §4.3). 64-bit values become doubles: exact below 2^53,
// and above that far beyond the last block of any volume, where only the comparison with it matters.

export function read16(bytes: Uint8Array, at: number): number {
  return (byte(bytes, at) << 8) | byte(bytes, at + 1)
}

export function read24(bytes: Uint8Array, at: number): number {
  return (byte(bytes, at) << 16) | read16(bytes, at + 1)
}

export function read32(bytes: Uint8Array, at: number): number {
  return read16(bytes, at) * 0x10000 + read16(bytes, at + 2)
}

export function read64(bytes: Uint8Array, at: number): number {
  return read32(bytes, at) * 0x100000000 + read32(bytes, at + 4)
}

export function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export function write24(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 16
  write16(bytes, at + 1, value & 0xffff)
}

export function write32(bytes: Uint8Array, at: number, value: number): void {
  write16(bytes, at, Math.floor(value / 0x10000))
  write16(bytes, at + 2, value & 0xffff)
}

export function write64(bytes: Uint8Array, at: number, value: number): void {
  write32(bytes, at, Math.floor(value / 0x100000000))
  write32(bytes, at + 4, value % 0x100000000)
}

/** The bytes of printable ASCII; ours are all such. */
export function writeAscii(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i += 1) bytes[at + i] = text.charCodeAt(i)
}

/** A CDB shorter than its command reads as padded with zeros. */
export function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}
