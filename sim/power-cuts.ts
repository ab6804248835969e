// Power cuts on the page store: random programs of writes, unmaps, drops and reads, cut at any write, sync or change of a
// name, also inside home writing, checkpoints and recovery itself.
//
// Judge: after recovery the store must be exactly as some number k of its first changes left it, with k at least the
// number of answered ones (ST1, ST2), no block damaged (ST3), and the operations of the first k remembered (ST5).
//
//   node sim/power-cuts.ts [--seeds N] [--start SEED] [--stop-first] [--focus large|stale|reuse|full|budget|direct|install]
// 'large': writes of several records. 'stale': records of one size in short lives, so that those which a cut left
// behind lie where new ones are expected. 'reuse': few blocks, unmapped as often as written, so that slots change their
// pages. 'full': others take all the room of the disk and give it back, again and again. 'budget': the pages may take less
// than the program writes, and never take more (RO1). 'direct': writes go straight into slots, every third time beside
// 'full'. 'install': pages are installed as other members have them, now and then older than what is there, beside scrubbing. A change that is answered 'full' has not happened.
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { Violation } from './block-model.ts'
import { Program } from './cut-program.ts'
import { type CutOptions, type CutTotals, FOCUSES, noCuts, violations } from './cut-totals.ts'

export async function runPowerCuts(options: CutOptions): Promise<CutTotals> {
  const totals = noCuts()
  for (let seed = options.start; seed < options.start + options.seeds; seed += 1) {
    totals.seeds += 1
    try {
      await new Program(seed, totals, options.focus).run()
    } catch (error) {
      totals[error instanceof Violation ? error.kind : 'broken'] += 1
      totals.firstSeed ??= seed
      totals.firstReason ??= error instanceof Error ? (error.stack ?? error.message) : String(error)
      if (options.stopFirst) return totals
    }
  }
  return totals
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '200' },
      start: { type: 'string', default: '1' },
      'stop-first': { type: 'boolean', default: false },
      focus: { type: 'string' },
    },
  })
  const focus = FOCUSES.find((name) => name === values.focus) ?? null
  if (values.focus !== undefined && focus === null) throw new Error('unknown focus')
  const totals = await runPowerCuts({
    focus,
    seeds: Number(values.seeds),
    start: Number(values.start),
    stopFirst: values['stop-first'],
  })
  console.log(JSON.stringify(totals))
  process.exitCode = violations(totals) > 0 ? 1 : 0
}
