// `--watch`: what a command prints, again and again; on a terminal in its place, else one after the other.
import { setTimeout as sleep } from 'node:timers/promises'
import { isUnavailable } from '../api/caller.ts'
import type { Context } from './context.ts'
import { live } from './live.ts'
import { sentenceOf } from './sentence.ts'
import { silenceOf } from './silence.ts'

const SECONDS = 2

/** Prints what was seen once, or as `seconds` (true: every 2) say, until it is ended. */
export async function watched(
  { outside, screen, caller }: Context,
  seconds: number | true | undefined,
  look: () => Promise<() => string>,
): Promise<void> {
  if (seconds === undefined) return screen.print(`${(await look())()}\n`)
  const everyMs = 1000 * (seconds === true ? SECONDS : seconds)
  if (screen.isTerminal && screen.isForPeople) {
    const { dim } = screen.colours
    const head = () =>
      dim(`${new Date().toTimeString().slice(0, 8)}  every ${everyMs / 1000} s; q ends`)
    screen.isLive = true
    const above = () => silenceOf(caller)
    return live(outside, { everyMs, look, above, draw: (text) => `${head()}\n\n${text()}` })
  }
  const between = { json: '', name: '', yaml: '---\n', table: '\n', wide: '\n' }[screen.form]
  for (let first = true; ; first = false) {
    try {
      screen.print(`${first ? '' : between}${(await look())()}\n`)
    } catch (error) {
      if (!isUnavailable(error)) throw error
      screen.note(`evenkeel: ${sentenceOf(error)}`)
    }
    await sleep(everyMs)
  }
}
