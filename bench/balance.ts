// How level the group's distribution keeps simulated groups, beside the usual ways, and with costs that members believe wrong at
// first: all recorded scenarios, of 3, 30 and 300 members. Writes bench/BALANCE.md and its plots. A run that was made is not made
// again: figures lie in a file, so it can be done in parts.
//
//   npm run bench:balance -- [--members 3,30,300] [--seeds 5] [--seconds 300] [--figures FILE]
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeReport } from './balance-report.ts'
import { ALL, asked, Runs } from './balance-runs.ts'

const { values: options } = parseArgs({
  options: {
    members: { type: 'string', default: '3,30,300' },
    seeds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '300' },
    figures: { type: 'string', default: join(tmpdir(), 'evenkeel-balance.jsonl') },
  },
})

const started = process.cpuUsage()
const isOver = () => {
  const { user, system } = process.cpuUsage(started)
  return (user + system) / 1e6 > Number(options.seconds)
}

const runs = await Runs.in(options.figures)
const extent = { members: options.members.split(',').map(Number), seeds: Number(options.seeds) }
let left = 0
for (const one of asked(extent)) {
  if (runs.has(one)) continue
  if (isOver()) left += 1
  else await runs.make(one)
}
await writeReport(runs, [...asked(ALL)].length)
console.log(
  `bench/BALANCE.md: ${runs.made.length} runs${left > 0 ? `, ${left} left: run it again` : ''}`,
)
