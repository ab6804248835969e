// Forgets what is numbered from 1 on and was acknowledged up to some number.

/** A Map or a Set by number. */
interface Numbered {
  readonly size: number
  keys(): Iterable<number>
  delete(number: number): unknown
}

/** All numbers after `known` up to `upTo`; those up to `known` are gone already. It costs by what is new, or by what is there, whichever is less. */
export function forgetUpTo(numbered: Numbered, known: number, upTo: number): void {
  if (upTo - known <= numbered.size) {
    for (let number = known + 1; number <= upTo; number += 1) numbered.delete(number)
    return
  }
  for (const number of numbered.keys()) if (number <= upTo) numbered.delete(number)
}
