// A tar archive of texts (POSIX ustar), in memory: what `evenkeel support` packs is bounded, and Node brings no tar.
//
// Invariants:
//   TA1. Any tar reads it: names of at most 100 bytes, each file for its owner alone, two empty blocks at the end.

export interface TarFile {
  readonly name: string
  readonly text: string
}

const BLOCK = 512
const NAME_BYTES_MAX = 100
const CHECKSUM_AT = 148
const CHECKSUM_BYTES = 8
const SPACE = 0x20

export function tarOf(files: readonly TarFile[], atMs: number): Buffer {
  const parts: Buffer[] = []
  for (const { name, text } of files) {
    const bytes = Buffer.from(text)
    const padding = (BLOCK - (bytes.length % BLOCK)) % BLOCK
    parts.push(headerOf(name, bytes.length, atMs), bytes, Buffer.alloc(padding))
  }
  parts.push(Buffer.alloc(2 * BLOCK))
  return Buffer.concat(parts)
}

function headerOf(name: string, bytes: number, atMs: number): Buffer {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) throw new Error(`${name} is too long for a tar`)
  const header = Buffer.alloc(BLOCK)
  header.write(name, 0)
  header.write(octal(0o600, 8), 100)
  header.write(octal(0, 8), 108)
  header.write(octal(0, 8), 116)
  header.write(octal(bytes, 12), 124)
  header.write(octal(Math.floor(atMs / 1_000), 12), 136)
  header.write('0', 156)
  header.write('ustar\0', 257)
  header.write('00', 263)
  // The sum of all bytes, with the place of the sum itself taken as spaces.
  header.fill(SPACE, CHECKSUM_AT, CHECKSUM_AT + CHECKSUM_BYTES)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, CHECKSUM_AT)
  return header
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`
}
