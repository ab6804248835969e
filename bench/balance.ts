// How level the group's distribution keeps simulated groups, beside the usual ways, and with costs that members believe wrong at
// first: all recorded scenarios, of 3, 30 and 300 members. Writes bench/BALANCE.md and its plots. There are more runs than fit into one
// sitting: figures lie in a file of the repository, with a key of the code that they are of, and no run is made twice.
//
//   npm run bench:balance -- [--members 3,30,300] [--seeds 5] [--seconds 300] [--figures FILE]
//
// `--seconds 0` makes nothing but the report. To go on for as long as it takes, beside other things:
//
//   nice -n 19 npm run bench:balance -- --seconds 1e6
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { writeReport } from './balance-report.ts'
import { asked, nameOf, Runs } from './balance-runs.ts'

const { values: options } = parseArgs({
  options: {
    members: { type: 'string', default: '3,30,300' },
    seeds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '300' },
    figures: {
      type: 'string',
      default: fileURLToPath(new URL('balance-figures.jsonl', import.meta.url)),
    },
  },
})

const started = process.cpuUsage()
const isOver = () => {
  const { user, system } = process.cpuUsage(started)
  return (user + system) / 1e6 > Number(options.seconds)
}

const runs = await Runs.in(options.figures)
const extent = { members: options.members.split(',').map(Number), seeds: Number(options.seeds) }
for (const one of asked(extent)) {
  if (!runs.has(one) && !isOver()) await runs.make(one)
}
const left = new Set([...asked(extent)].filter((one) => !runs.has(one)).map(nameOf)).size
await writeReport(runs)
const others = runs.others > 0 ? `, and ${runs.others} of other code` : ''
const more = left > 0 ? `; ${left} are left: run it again` : ''
console.log(`bench/BALANCE.md: ${runs.made.length} runs of this code${others}${more}`)
