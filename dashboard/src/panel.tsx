// What is known of one session, volume or member, in a panel beside the page. Which one stands in the address, so that it can be
// sent to somebody, and the way back is the browser's.
import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { BalancePanel } from './balance-panel.tsx'
import { MemberPanel } from './member-panel.tsx'
import { NewVolume } from './new-volume.tsx'
import { readPlace } from './place.ts'
import { SessionPanel } from './session-panel.tsx'
import { VolumePanel } from './volume-panel.tsx'

const place = signal(readPlace(location.hash))
addEventListener('hashchange', () => {
  place.value = readPlace(location.hash)
})

export function closePanel(): void {
  history.pushState(null, '', location.pathname)
  place.value = null
}

export function Panel() {
  const dialog = useRef<HTMLDialogElement>(null)
  const now = place.value
  useEffect(() => {
    const { current } = dialog
    if (current === null) return
    if (now !== null && !current.open) current.showModal()
    if (now === null && current.open) current.close()
  }, [now])
  return (
    <dialog
      class="panel"
      ref={dialog}
      aria-label={now === null ? undefined : `${now.kind} ${now.name}`}
      onClose={() => {
        if (place.value !== null) closePanel()
      }}
    >
      <button type="button" class="small close" onClick={closePanel}>
        Close
      </button>
      {now?.kind === 'session' ? <SessionPanel key={now.name} id={now.name} /> : null}
      {now?.kind === 'member' ? <MemberPanel key={now.name} id={now.name} /> : null}
      {now?.kind === 'new' ? <NewVolume /> : null}
      {now?.kind === 'balance' ? <BalancePanel /> : null}
      {now?.kind === 'volume' ? <VolumePanel key={now.name} name={now.name} /> : null}
    </dialog>
  )
}
