// How much memory there is for this process.

import { totalmem } from 'node:os'

/** Bytes of memory of the machine, or of what this process is confined to (a container), if that is less. */
export function machineMemoryBytes(): number {
  const confined = process.constrainedMemory()
  return confined > 0 ? Math.min(confined, totalmem()) : totalmem()
}
