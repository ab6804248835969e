// One bit a block of a page, in words of 32.

export function hasBit(words: Uint32Array, first: number, bit: number): boolean {
  return (((words[first + (bit >>> 5)] ?? 0) >>> (bit & 31)) & 1) === 1
}

export function setBit(words: Uint32Array, first: number, bit: number): void {
  const at = first + (bit >>> 5)
  words[at] = (words[at] ?? 0) | (1 << (bit & 31))
}

export function clearBit(words: Uint32Array, first: number, bit: number): void {
  const at = first + (bit >>> 5)
  words[at] = (words[at] ?? 0) & ~(1 << (bit & 31))
}

export function countBits(words: Uint32Array): number {
  let count = 0
  for (const word of words) {
    let rest = word
    while (rest !== 0) {
      rest &= rest - 1
      count += 1
    }
  }
  return count
}

export function isEmpty(words: Uint32Array): boolean {
  return words.every((word) => word === 0)
}
