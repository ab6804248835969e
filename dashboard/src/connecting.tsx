// How to connect, said where nobody is connected, and of each volume.
import type { Volume } from '../../src/api/schema.ts'
import { status, volumes } from './live.ts'

/** Of the first volume. */
export function Connecting() {
  const [first] = volumes.value ?? []
  return (
    <div class="empty">
      <p>Nobody is connected.</p>
      {first === undefined ? (
        <p>Create a volume; then any initiator may connect to it, at any member.</p>
      ) : (
        <>
          <p>Connect an initiator to {first.name}, at any member: each serves every volume.</p>
          <Commands volume={first} />
        </>
      )}
    </div>
  )
}

export function Commands({ volume }: { readonly volume: Volume }) {
  const portal = status.value?.members.find(({ portal }) => portal !== '')?.portal ?? ''
  const lines = [
    ['QEMU', `qemu-img info ${volume.url}`],
    ['Linux', `iscsiadm -m discovery -t sendtargets -p ${portal}`],
    ['', `iscsiadm -m node -T ${volume.iqn} -p ${portal} --login`],
  ] as const
  return (
    <ul class="commands">
      {lines.map(([what, line]) => (
        <li key={line}>
          <span>{what}</span>
          <code>{line}</code>
          <CopyButton text={line} />
        </li>
      ))}
    </ul>
  )
}

function CopyButton({ text }: { readonly text: string }) {
  // Browsers let a page write to the clipboard only over a connection that they hold secure.
  if (navigator.clipboard === undefined) return null
  return (
    <button
      type="button"
      class="small"
      aria-label={`Copy: ${text}`}
      onClick={(event) => {
        const button = event.currentTarget
        void navigator.clipboard.writeText(text).then(() => {
          button.textContent = 'Copied'
          setTimeout(() => {
            button.textContent = 'Copy'
          }, 1_500)
        })
      }}
    >
      Copy
    </button>
  )
}
