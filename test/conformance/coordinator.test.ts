import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SimCoordination } from '../../sim/coordinator.ts'
import { Prng } from '../../src/base/prng.ts'
import type { Coordinator } from '../../src/coordination/coordinator.ts'
import { EmbeddedCoordinator } from '../../src/coordination/embedded.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { readStore, setStoreAside, writeStore } from '../../src/io/sqlite-files.ts'
import { SqliteWorker } from '../../src/io/sqlite-worker.ts'
import { coordinatorConformance } from './coordinator.ts'
import { founding } from './coordinator-calls.ts'

const clock = new SystemClock()
/** Members nudge one another; these handles do not. */
const POLL_MS = 5

coordinatorConformance('embedded', async ({ keepRevisions }) => {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-coordinator-'))
  const file = join(folder, 'group.sqlite')
  const handles: Coordinator[] = []
  return {
    async handle() {
      const worker = new SqliteWorker(file, keepRevisions, POLL_MS)
      const handle = await EmbeddedCoordinator.open(worker, clock, founding)
      handles.push(handle)
      return handle
    },
    async image() {
      return readStore(file)
    },
    async lose() {
      setStoreAside(file, 'lost')
    },
    async restore(image) {
      writeStore(file, image)
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
    async image() {
      return coordination.image()
    },
    async lose() {
      coordination.lose()
    },
    async restore(image) {
      coordination.restore(image)
    },
    async close() {
      for (const handle of handles) await handle.close()
    },
  }
})
