// What may be done to a volume: it grows, gets another name, or is deleted with all that is in it.
import { useSignal } from '@preact/signals'
import type { VolumeDetail } from '../../src/api/schema.ts'
import { formatSize } from '../../src/base/figures.ts'
import { ActionForm, useAction } from './action.tsx'
import { ask } from './api.ts'
import { SizeField } from './size-field.tsx'
import { bytesOf, sizeOf } from './sizes.ts'
import { countOf } from './words.ts'

interface Props {
  readonly volume: VolumeDetail
}

const pathOf = (name: string) => `/api/v1/volumes/${encodeURIComponent(name)}`

export function VolumeChanges({ volume }: Props) {
  return (
    <>
      <h3>Change it</h3>
      <details>
        <summary>Let it grow</summary>
        <Grow volume={volume} />
      </details>
      <details>
        <summary>Rename it</summary>
        <Rename volume={volume} />
      </details>
      <details>
        <summary>Delete it</summary>
        <Delete volume={volume} />
      </details>
    </>
  )
}

function Grow({ volume }: Props) {
  const size = useSignal(sizeOf(volume.bytes))
  const action = useAction()
  const bytes = bytesOf(size.value)
  const grow = async () => {
    const now = await ask<VolumeDetail>('PATCH', pathOf(volume.name), { bytes })
    return `It has ${formatSize(now.bytes)}. A host sees that after a rescan of the session.`
  }
  return (
    <ActionForm
      action={action}
      change={grow}
      button="Let it grow"
      isReady={bytes !== null && bytes > volume.bytes}
    >
      <p class="quiet">
        It has {formatSize(volume.bytes)}, and only grows: what a host wrote at its end would be cut
        off.
      </p>
      <SizeField label="New size" size={size} />
    </ActionForm>
  )
}

function Rename({ volume }: Props) {
  const name = useSignal(volume.name)
  const action = useAction()
  const rename = async () => {
    const now = await ask<VolumeDetail>('PATCH', pathOf(volume.name), { name: name.value })
    location.hash = `#volume/${now.name}`
    return `It is called ${now.name}.`
  }
  return (
    <ActionForm
      action={action}
      change={rename}
      button="Rename"
      isReady={name.value !== '' && name.value !== volume.name}
    >
      <p class="quiet">The target name stays, so initiators notice nothing.</p>
      <label>
        New name
        <input
          required
          maxLength={63}
          value={name.value}
          onInput={(event) => {
            name.value = event.currentTarget.value
          }}
        />
      </label>
    </ActionForm>
  )
}

function Delete({ volume }: Props) {
  const typed = useSignal('')
  const action = useAction()
  const { name, sessions } = volume
  const remove = async () => {
    await ask('DELETE', pathOf(name))
    location.hash = '#volumes'
    return `${name} is deleted.`
  }
  if (sessions > 0) {
    return (
      <p class="quiet">
        It has {countOf(sessions, 'session')}, and is not deleted before they have logged out.
      </p>
    )
  }
  return (
    <ActionForm
      action={action}
      change={remove}
      button={`Delete ${name} and all its bytes`}
      isDangerous
      isReady={typed.value === name}
    >
      <label>
        Everything in it is lost for good. Type its name, {name}, to go on
        <input
          autocomplete="off"
          value={typed.value}
          onInput={(event) => {
            typed.value = event.currentTarget.value
          }}
        />
      </label>
    </ActionForm>
  )
}
