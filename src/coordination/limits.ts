// The bounds of a transaction (G5), so that every implementation refuses the same ones with the same sentence.
import type { Transaction } from './coordinator.ts'

const KEY_BYTES = 1024
const VALUE_BYTES = 64 * 1024
const COMPARES = 100
const CHANGES = 100

/** A transaction outside the bounds of G5: a mistake of the caller, never an outcome. */
export class LimitExceeded extends Error {
  override readonly name = 'LimitExceeded'
}

/** Throws LimitExceeded with a sentence that names the bound and the key. */
export function checkLimits(transaction: Transaction): void {
  const { compare = [], put = [], remove = [], read = [] } = transaction
  if (compare.length > COMPARES) {
    throw new LimitExceeded(
      `a transaction compares ${compare.length} keys; at most ${COMPARES} may be`,
    )
  }
  if (put.length + remove.length > CHANGES) {
    const changes = put.length + remove.length
    throw new LimitExceeded(`a transaction changes ${changes} keys; at most ${CHANGES} may be`)
  }
  const changed = new Set<string>()
  const change = (key: string): void => {
    checkKey(key)
    if (changed.has(key)) throw new LimitExceeded(`a transaction changes ${key} twice`)
    changed.add(key)
  }
  for (const { key, rev } of compare) {
    checkKey(key)
    if (!Number.isSafeInteger(rev) || rev < 0) {
      throw new LimitExceeded(`a transaction compares ${key} with ${rev}, which is no revision`)
    }
  }
  for (const { key, value } of put) {
    change(key)
    if (utf8Bytes(value) > VALUE_BYTES) {
      const bytes = utf8Bytes(value)
      throw new LimitExceeded(`the value of ${key} has ${bytes} bytes; at most ${VALUE_BYTES} fit`)
    }
  }
  for (const key of remove) change(key)
  for (const prefix of read) checkPrefix(prefix)
}

export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkKey(prefix)
}

function checkKey(key: string): void {
  if (key === '') throw new LimitExceeded('a key is empty')
  if (key.length > KEY_BYTES) {
    const start = key.slice(0, 40)
    throw new LimitExceeded(`a key has ${key.length} bytes; at most ${KEY_BYTES} fit: ${start}…`)
  }
  if (!/^[!-~]+$/.test(key)) {
    throw new LimitExceeded(`a key may hold printable ASCII only: ${JSON.stringify(key)}`)
  }
}

function utf8Bytes(text: string): number {
  // Most values are short: their bytes need no counting.
  if (text.length * 3 <= VALUE_BYTES) return text.length
  let bytes = 0
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
  }
  return bytes
}
