// A change that somebody asks for: one at a time, and told if it is refused.
import { type Signal, useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { sentenceOf } from './api.ts'
import { readAnew } from './live.ts'

export interface Action {
  readonly isBusy: Signal<boolean>
  /** What came of it, good or bad; empty: nothing yet. */
  readonly told: Signal<string>
  readonly isRefused: Signal<boolean>
  /** `change` settles with what is said when it is done. */
  run(change: () => Promise<string>): void
}

export function useAction(): Action {
  const isBusy = useSignal(false)
  const told = useSignal('')
  const isRefused = useSignal(false)
  const run = (change: () => Promise<string>) => {
    if (isBusy.value) return
    isBusy.value = true
    told.value = ''
    change()
      .then((said) => {
        isRefused.value = false
        told.value = said
      })
      .catch((error: unknown) => {
        isRefused.value = true
        told.value = sentenceOf(error)
      })
      .finally(() => {
        isBusy.value = false
        readAnew()
      })
  }
  return { isBusy, told, isRefused, run }
}

interface FormProps {
  readonly action: Action
  readonly change: () => Promise<string>
  readonly button: string
  readonly isDangerous?: boolean
  readonly isReady?: boolean
  readonly children?: ComponentChildren
}

/** Fields, one button, and what came of it. */
export function ActionForm(props: FormProps) {
  const { action, change, button, isDangerous = false, isReady = true, children } = props
  return (
    <form
      class="action"
      onSubmit={(event) => {
        event.preventDefault()
        if (isReady) action.run(change)
      }}
    >
      {children}
      <button
        type="submit"
        class={isDangerous ? 'danger' : 'main'}
        disabled={!isReady || action.isBusy.value}
      >
        {action.isBusy.value ? 'Working …' : button}
      </button>
      <p class={action.isRefused.value ? 'refused' : 'done'} role="status">
        {action.told}
      </p>
    </form>
  )
}
