// A process of its own on the coordinator's file, for coordinator-embedded.test.ts and e2e/stopped-holder.test.ts.
//   hold FILE          begins a transaction by hand, writes into it, says 'holding', and never ends it
//   take FILE          says 'ready'; for every first line that it reads it begins a transaction and says 'holding', for
//                      every second one it takes that back and says 'released'
//   stream FILE        writes a growing number to two keys in each transaction, saying each number once it is done
//   count FILE TIMES   adds one to the key 'n' as often, by compare-and-swap, then says 'done'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { EmbeddedCoordinator } from '../../src/coordination/embedded.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { SqliteWorker } from '../../src/io/sqlite-worker.ts'
import { done, founding, increment } from './coordinator-calls.ts'

const [, , mode, file = '', times = '0'] = process.argv
const say = (line: string | number): boolean => process.stdout.write(`${line}\n`)

if (mode === 'hold') {
  const db = new DatabaseSync(file, { timeout: 0 })
  db.exec(
    "BEGIN IMMEDIATE; UPDATE meta SET rev = rev + 1; DELETE FROM kv; INSERT INTO kv VALUES ('torn', '', 1, 1)",
  )
  say('holding')
  // Keeps the process and its transaction alive until it is killed.
  setInterval(() => db.isOpen, 60_000)
} else if (mode === 'take') {
  const db = new DatabaseSync(file, { timeout: 1_000 })
  say('ready')
  let isHolding = false
  for await (const _ of createInterface({ input: process.stdin })) {
    db.exec(isHolding ? 'ROLLBACK' : 'BEGIN IMMEDIATE')
    isHolding = !isHolding
    say(isHolding ? 'holding' : 'released')
  }
} else {
  const handle = await EmbeddedCoordinator.open(new SqliteWorker(file), new SystemClock(), founding)
  if (mode === 'count') {
    await increment(handle, 'n', Number(times))
    await handle.close()
    say('done')
  } else {
    for (let n = 1; ; n += 1) {
      const value = String(n)
      await done(handle, { put: ['a', 'b'].map((key) => ({ key, value })) })
      say(n)
    }
  }
}
