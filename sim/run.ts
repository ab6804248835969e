// npm run sim -- [--seeds N] [--from S] [--seed S] [--calm] [--losing] [--copies N|any] [--stand-ins] [--trace]: simulates N seeds, or one, and prints what
// happened. A seed that fails is printed with the command that repeats it; the exit code is 0 only if none did.
import { parseArgs } from 'node:util'
import { runSeed } from './seed.ts'
import type { CopiesWanted } from './shape.ts'
import { addTotals, mustHappen, mustHappenToCopies, noTotals } from './totals.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    /** This one alone. */
    seed: { type: 'string' },
    calm: { type: 'boolean', default: false },
    /** The group record is lost in each of them. */
    losing: { type: 'boolean', default: false },
    /** Of each slice: 1 to 3, or as the seed says: any. */
    copies: { type: 'string', default: '1' },
    /** Members of one machine answer at the portals of those that are away. */
    'stand-ins': { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    /** Stops at the first seed that fails. */
    first: { type: 'boolean', default: false },
  },
})
const seeds = values.seed === undefined ? whole('seeds', values.seeds) : 1
const from = values.seed === undefined ? whole('from', values.from) : whole('seed', values.seed)
const print = values.trace ? (line: string) => console.log(line) : null
const copies: CopiesWanted = values.copies === 'any' ? 'any' : whole('copies', values.copies)
const totals = noTotals()
let failing = 0
let played = 0
const began = performance.now()
for (let seed = from; seed < from + seeds; seed += 1) {
  const verdict = await runSeed(seed, {
    faults: !values.calm,
    losing: values.losing,
    standIns: values['stand-ins'],
    copies,
    print,
  })
  played += 1
  addTotals(totals, verdict.totals)
  if (values.trace) console.log(`hash ${verdict.hash}`)
  if (verdict.violations.length === 0) continue
  failing += 1
  console.log(`seed ${seed} failed:`)
  for (const violation of verdict.violations.slice(0, 5)) console.log(`  ${violation}`)
  console.log(
    `  repeat it with: npm run sim -- --seed ${seed} --trace${values.calm ? ' --calm' : ''}${values.losing ? ' --losing' : ''}${copies === 1 ? '' : ` --copies ${copies}`}${values['stand-ins'] ? ' --stand-ins' : ''}`,
  )
  if (values.first) break
}
console.log(
  JSON.stringify({
    seeds: played,
    failing,
    seconds: Math.round((performance.now() - began) / 100) / 10,
  }),
)
console.log(JSON.stringify(totals))
const wanted = copies === 1 ? mustHappen : mustHappenToCopies
const missing = wanted.filter((key) => totals[key] === 0)
if (missing.length > 0 && played >= 50 && !values.calm) {
  console.log(`never happened: ${missing.join(', ')}`)
  process.exitCode = 1
}
if (failing > 0) process.exitCode = 1

function whole(name: string, text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 1) return number
  console.error(`--${name} is a whole number from 1 on, not '${text}'`)
  process.exit(2)
}
