import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SimCoordination } from '../../sim/coordinator.ts'
import { Prng } from '../../src/base/prng.ts'
import type { Coordinator } from '../../src/coordination/coordinator.ts'
import { EmbeddedCoordinator } from '../../src/coordination/embedded.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { SqliteWorker } from '../../src/io/sqlite-worker.ts'
import { coordinatorConformance } from './coordinator.ts'

const clock = new SystemClock()

coordinatorConformance('embedded', async ({ keepRevisions }) => {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-coordinator-'))
  const handles: Coordinator[] = []
  return {
    async handle() {
      const worker = new SqliteWorker(join(folder, 'group.sqlite'), keepRevisions)
      const handle = await EmbeddedCoordinator.open(worker, clock)
      handles.push(handle)
      return handle
    },
    async close() {
      for (const handle of handles) await handle.close()
      rmSync(folder, { recursive: true })
    },
  }
})

coordinatorConformance('simulated', async ({ keepRevisions }) => {
  const delayMs = [0, 0] as const
  const coordination = new SimCoordination(clock, new Prng(1), { keepRevisions, delayMs })
  const handles: Coordinator[] = []
  return {
    async handle() {
      const handle = coordination.handle(`m${handles.length + 1}`)
      handles.push(handle)
      return handle
    },
    async close() {
      for (const handle of handles) await handle.close()
    },
  }
})
