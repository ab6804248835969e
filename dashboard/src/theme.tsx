// Light or dark: as the system has it, until somebody chooses.
import { signal } from '@preact/signals'

const KEY = 'evenkeel-theme'
type Theme = 'light' | 'dark'

const chosen = signal<Theme | null>(known())
if (chosen.value !== null) document.documentElement.dataset['theme'] = chosen.value

function known(): Theme | null {
  const kept = localStorage.getItem(KEY)
  return kept === 'light' || kept === 'dark' ? kept : null
}

export function ThemeButton() {
  const isDark =
    (chosen.value ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) ===
    'dark'
  const other = isDark ? 'light' : 'dark'
  return (
    <button
      type="button"
      class="small"
      onClick={() => {
        chosen.value = other
        localStorage.setItem(KEY, other)
        document.documentElement.dataset['theme'] = other
      }}
    >
      {isDark ? 'Light' : 'Dark'}
    </button>
  )
}
