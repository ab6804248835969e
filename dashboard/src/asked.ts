// One answer of the API that a panel shows, asked anew while it is open and seen (L1 of live.ts).
import { type Signal, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Refused, read } from './api.ts'
import { top } from './live.ts'
import { paceMs } from './pace.ts'

const EVERY_MS = 2_000

export interface Asked<T> {
  /** null: not yet. */
  readonly answer: Signal<T | null>
  readonly refused: Signal<Refused | null>
}

export function useAsked<T>(path: string): Asked<T> {
  const answer = useSignal<T | null>(null)
  const refused = useSignal<Refused | null>(null)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let isOpen = true
    const again = async () => {
      const begunMs = performance.now()
      try {
        if (!document.hidden) {
          const value = await read<T>(path)
          if (isOpen) answer.value = value
          refused.value = null
        }
      } catch (error) {
        if (error instanceof Refused && isOpen) refused.value = error
      }
      if (isOpen)
        timer = setTimeout(
          () => void again(),
          paceMs(performance.now() - begunMs, EVERY_MS, top.value?.sessions.length ?? 0),
        )
    }
    void again()
    return () => {
      isOpen = false
      clearTimeout(timer)
    }
  }, [path, answer, refused])
  return { answer, refused }
}
