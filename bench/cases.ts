// What is asked of every system.
import type { Work } from './load.ts'

export type NamedWork = Work & { readonly name: string }

const KIB = 1024

export const works: readonly NamedWork[] = [
  work(4 * KIB, 'random', 100, 1),
  work(4 * KIB, 'random', 100, 8),
  work(4 * KIB, 'random', 100, 32),
  work(4 * KIB, 'random', 100, 128),
  work(4 * KIB, 'random', 0, 1),
  work(4 * KIB, 'random', 0, 8),
  work(4 * KIB, 'random', 0, 32),
  work(4 * KIB, 'random', 0, 128),
  work(4 * KIB, 'random', 70, 32),
  work(256 * KIB, 'sequential', 100, 8),
  work(256 * KIB, 'sequential', 0, 8),
]

function work(bytes: number, order: Work['order'], reads: number, depth: number): NamedWork {
  const verb = reads === 100 ? 'read' : reads === 0 ? 'write' : `${reads}/${100 - reads} mix`
  return { bytes, order, reads, depth, name: `${bytes / KIB} KiB ${order} ${verb}, depth ${depth}` }
}
