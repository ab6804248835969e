// Figures as people read them, on a terminal and on a page: powers of 1024, as qemu-img and lvcreate have them.

/** Of 1024: bytes, KiB, MiB … */
export const SIZE_UNITS = ['', 'K', 'M', 'G', 'T', 'P'] as const

export function formatSize(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(SIZE_UNITS.length - 1, Math.floor(Math.log2(bytes) / 10))
  if (power === 0) return `${bytes} B`
  const value = bytes / 1024 ** power
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${SIZE_UNITS[power]}iB`
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatSize(Math.round(bytesPerSecond))}/s`
}

/** As few as matter: 0.034, 1.3, 41, 412. */
export function formatAmount(x: number): string {
  if (!(Math.abs(x) > 0)) return '0'
  return Math.abs(x) >= 10 ? String(Math.round(x)) : String(Number(x.toPrecision(2)))
}

/** Of a share 0 … 1. */
export function formatPercent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** How full a member is: of its CPU, unless its network is fuller. */
export function formatLoad({
  utilisation,
  resource,
}: {
  readonly utilisation: number
  readonly resource: 'cpu' | 'network'
}): string {
  const used = formatPercent(utilisation)
  return resource === 'network' ? `${used} net` : used
}

/** As the makers of networks have it: powers of 1000. */
export function formatBitRate(bitsPerSecond: number): string {
  const [unit, of] = bitsPerSecond >= 1e9 ? ['G', 1e9] : ['M', 1e6]
  return `${Number((bitsPerSecond / Number(of)).toPrecision(3))} ${unit}bit/s`
}

/** As kubectl has it: the two largest units at most. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const [days, hours, minutes] = [seconds / 86_400, seconds / 3_600, seconds / 60].map(Math.floor)
  if (days !== undefined && days > 0) return `${days}d${(hours ?? 0) % 24}h`
  if (hours !== undefined && hours > 0) return `${hours}h${(minutes ?? 0) % 60}m`
  if (minutes !== undefined && minutes > 0) return `${minutes}m${seconds % 60}s`
  return `${seconds}s`
}

export function formatMs(ms: number | null): string {
  if (ms === null) return '–'
  return ms >= 100 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`
}
