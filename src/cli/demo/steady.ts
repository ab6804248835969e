// What the group takes a command to cost follows what it learns of this machine, within half a minute of the first unequal
// load: what is to be made of it waits until it stays where it is.

/** Looks that must agree, a second apart. */
const LOOKS = 8
const WITHIN = 1.06

/** `prices`: of one command at each look, CPU seconds. */
export function isSteady(prices: readonly number[]): boolean {
  const last = prices.slice(-LOOKS)
  return last.length === LOOKS && Math.max(...last) <= WITHIN * Math.min(...last)
}
