// A size, as a number and its unit.
import type { Signal } from '@preact/signals'
import { type Size, UNITS, type Unit } from './sizes.ts'

export function SizeField({
  label,
  size,
}: {
  readonly label: string
  readonly size: Signal<Size>
}) {
  return (
    <div class="field">
      <label>
        {label}
        <input
          type="number"
          min="1"
          step="any"
          required
          value={size.value.number}
          onInput={(event) => {
            size.value = { ...size.value, number: event.currentTarget.value }
          }}
        />
      </label>
      <label>
        <span class="unseen">Unit</span>
        <select
          value={size.value.unit}
          onChange={(event) => {
            const unit = event.currentTarget.value
            if (unit in UNITS) size.value = { ...size.value, unit: unit as Unit }
          }}
        >
          {Object.keys(UNITS).map((unit) => (
            <option key={unit}>{unit}</option>
          ))}
        </select>
      </label>
    </div>
  )
}
