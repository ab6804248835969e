// Sizes as people write them: powers of 1024, as qemu-img and lvcreate have them.
import { InvalidArgumentError } from 'commander'
import { SIZE_UNITS } from '../base/figures.ts'

/** `1G`, `512M`, `1.5T`, `1GiB`, or bytes. `GB` is refused: people mean both 1000 and 1024 by it. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(?:([kmgtp])(?:ib)?)?$/i.exec(text.trim())
  const power = SIZE_UNITS.findIndex((unit) => unit === (match?.[2] ?? '').toUpperCase())
  const bytes = Number(match?.[1]) * 1024 ** power
  if (match === null) {
    throw new InvalidArgumentError(
      'Write a size as 1G, 512M or 1.5T (powers of 1024), or in bytes.',
    )
  }
  if (!Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError('A size is a whole number of bytes, and less than 8 PiB.')
  }
  return bytes
}
