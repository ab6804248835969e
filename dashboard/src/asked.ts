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

function restMs(begunMs: number): number {
  return paceMs(performance.now() - begunMs, EVERY_MS, top.value?.sessions.length ?? 0)
}

/** `once`: what is answered does not change any more. */
export function useAsked<T>(path: string, once = false): Asked<T> {
  const answer = useSignal<T | null>(null)
  const refused = useSignal<Refused | null>(null)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let isOpen = true
    const isKnown = () => once && answer.value !== null
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
      if (isOpen && !isKnown()) timer = setTimeout(() => void again(), restMs(begunMs))
    }
    void again()
    return () => {
      isOpen = false
      clearTimeout(timer)
    }
  }, [path, once, answer, refused])
  return { answer, refused }
}
