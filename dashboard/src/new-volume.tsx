// A new volume: its name, its size, who may use it.
import { useSignal } from '@preact/signals'
import type { VolumeDetail } from '../../src/api/schema.ts'
import { ActionForm, useAction } from './action.tsx'
import { ask } from './api.ts'
import { SizeField } from './size-field.tsx'
import { bytesOf, type Size } from './sizes.ts'

export function NewVolume() {
  const name = useSignal('')
  const size = useSignal<Size>({ number: '10', unit: 'GiB' })
  const isShared = useSignal(false)
  const action = useAction()
  const bytes = bytesOf(size.value)
  const create = async () => {
    const wish = { name: name.value, bytes, shared: isShared.value }
    const made = await ask<VolumeDetail>('POST', '/api/v1/volumes', wish)
    location.hash = `#volume/${made.name}`
    return `${made.name} is there.`
  }
  return (
    <>
      <h2>New volume</h2>
      <p class="quiet">
        An initiator sees it as a disk. It is spread over all members and takes room only for what
        is written.
      </p>
      <ActionForm
        action={action}
        change={create}
        button="Create"
        isReady={name.value !== '' && bytes !== null}
      >
        <label>
          Name
          <input
            required
            maxLength={63}
            autocomplete="off"
            value={name.value}
            onInput={(event) => {
              name.value = event.currentTarget.value
            }}
          />
        </label>
        <SizeField label="Size" size={size} />
        <label class="choice">
          <input
            type="checkbox"
            checked={isShared.value}
            onChange={(event) => {
              isShared.value = event.currentTarget.checked
            }}
          />
          <span>
            Several hosts may use it at once
            <small>
              for live migration and cluster file systems; any other file system would be destroyed
            </small>
          </span>
        </label>
      </ActionForm>
    </>
  )
}
