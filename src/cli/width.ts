// How many columns of a terminal a text takes.
import { createRequire } from 'node:module'

/** What our own texts are made of: each takes one column. */
const PLAIN = /^[ -~–…→←↑↓×·µ]*$/

/** The library knows all of Unicode, and takes 24 ms to load: only names that initiators choose may need it. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length
  const { default: stringWidth } = createRequire(import.meta.url)(
    'string-width',
  ) as typeof import('string-width')
  return stringWidth(text)
}
