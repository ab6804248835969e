// A size as it is typed: a number and its unit. Pure.

export const UNITS = { MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const
export type Unit = keyof typeof UNITS

export interface Size {
  readonly number: string
  readonly unit: Unit
}

/** null: it is none that a volume could have. */
export function bytesOf({ number, unit }: Size): number | null {
  const bytes = Number(number) * UNITS[unit]
  return number.trim() !== '' && Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null
}

export function sizeOf(bytes: number): Size {
  const unit: Unit = bytes % UNITS.TiB === 0 ? 'TiB' : bytes % UNITS.GiB === 0 ? 'GiB' : 'MiB'
  return { number: String(bytes / UNITS[unit]), unit }
}
