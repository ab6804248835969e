// A view on a terminal that renews itself: `top`, and whatever is asked with `--watch`. It goes on while the API does not
// answer, and says so.
//
// Invariants:
//   L1. The terminal is left as it was found (cursor, line wrap, what was on it), whatever ends the view.
//   L2. What is drawn fits the terminal as it is at that moment: it is cut at the bottom and at the right, never wrapped.
import { isUnavailable } from '../api/caller.ts'
import type { Outside } from './context.ts'
import { sentenceOf } from './sentence.ts'
import { wrap } from './wrap.ts'

/** The alternate screen; no cursor; no wrapped lines. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l'
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'
const ROWS = 24
const COLUMNS = 80

export interface View<T> {
  readonly everyMs: number
  readonly look: () => Promise<T>
  readonly draw: (seen: T) => string
  /** A line above all: what is wrong with the view itself; null: nothing. */
  readonly above?: () => string | null
  /** A key other than q and Ctrl-C, which end the view. */
  readonly pressed?: (key: string) => void
}

/** Settles when the operator ends it. */
export async function live<T>(outside: Outside, view: View<T>): Promise<void> {
  const { out, keyboard } = outside
  const ended = Promise.withResolvers<'ended'>()
  const end = () => ended.resolve('ended')
  const now: State<T> = { seen: null, trouble: null }
  const draw = () =>
    out.write(painted(linesOf(view, now, out.columns ?? COLUMNS), out.rows ?? ROWS))
  const closeKeyboard = keyboard?.open((key) => {
    if (key === 'q' || key === 'ctrl-c') return end()
    view.pressed?.(key)
    draw()
  })
  const resized = out.onResize?.(draw)
  process.once('SIGINT', end).once('SIGTERM', end)
  out.write(ENTER)
  try {
    for (;;) {
      const looked = await Promise.race([ended.promise, tried(view.look)])
      if (looked === 'ended') return
      if (looked.kind === 'seen') {
        now.seen = looked
        now.trouble = null
      } else {
        const { sentence } = looked
        now.trouble = { sentence, sinceMs: now.trouble?.sinceMs ?? performance.now() }
      }
      draw()
      if ((await Promise.race([ended.promise, wait(view.everyMs)])) === 'ended') return
    }
  } finally {
    out.write(LEAVE)
    closeKeyboard?.()
    resized?.()
    process.removeListener('SIGINT', end).removeListener('SIGTERM', end)
  }
}

interface State<T> {
  seen: { readonly what: T } | null
  trouble: { readonly sentence: string; readonly sinceMs: number } | null
}

function linesOf<T>(view: View<T>, { seen, trouble }: State<T>, columns: number): string[] {
  const above = trouble === null ? (view.above?.() ?? null) : null
  const warned = above === null ? [] : [...wrap(above, columns).split('\n'), '']
  const lines = seen === null ? [] : [...warned, ...view.draw(seen.what).split('\n')]
  if (trouble === null) return lines
  const seconds = Math.round((performance.now() - trouble.sinceMs) / 1000)
  const sentence = wrap(`No answer for ${seconds} s: ${trouble.sentence}`, columns)
  return [...sentence.split('\n'), '', ...lines]
}

type Looked<T> =
  | { readonly kind: 'seen'; readonly what: T }
  | { readonly kind: 'unavailable'; readonly sentence: string }

async function tried<T>(look: () => Promise<T>): Promise<Looked<T>> {
  try {
    return { kind: 'seen', what: await look() }
  } catch (error) {
    if (!isUnavailable(error)) throw error
    return { kind: 'unavailable', sentence: sentenceOf(error) }
  }
}

function wait(ms: number): Promise<'over'> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms, 'over').unref()
  })
}

/**
 * Over what is there, so that nothing flickers. Each line is cleared before it is written: behind the last column,
 * clearing would take the last character with it.
 */
function painted(lines: readonly string[], rows: number): string {
  const fits = lines.length <= rows
  const shown = fits ? lines : lines.slice(0, rows - 1)
  const more = fits ? [] : [`… ${lines.length - shown.length} more lines`]
  const all = [...shown, ...more]
  const clear = (i: number) => (i < all.length - 1 ? CLEAR_LINE : CLEAR_BELOW)
  return HOME + all.map((line, i) => clear(i) + line).join('\r\n')
}
