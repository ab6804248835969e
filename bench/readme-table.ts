// README's table of multiples of tgt and the sentences behind it, taken from the tables of bench/RESULTS.md, so that the two cannot tell two things.
import { mainWorks } from './cases.ts'
import { table } from './figures.ts'

const BEGIN = '<!-- from bench/RESULTS.md, by npm run bench -->'
const END = '<!-- end -->'

/** README with the table that belongs to these results. */
export function withTable(readme: string, results: string): string {
  const from = readme.indexOf(BEGIN)
  const to = readme.indexOf(END)
  if (from === -1 || to < from)
    throw new Error(`README.md has no '${BEGIN}' with '${END}' behind it`)
  const lines = [...readmeTable(results), '', ...writeBack(results), measuredAt(results)].join('\n')
  return `${readme.slice(0, from + BEGIN.length)}\n\n${lines}\n\n${readme.slice(to)}`
}

function readmeTable(results: string): string[] {
  const rows = mainWorks.map(({ name }) => {
    const cells = rowsUnder(results, name)
    const of = (where: string) => {
      const row = cells.find(({ system }) => system === `Evenkeel, ${where}`)
      if (row === undefined)
        throw new Error(`RESULTS.md has no 'Evenkeel, ${where}' under '${name}'`)
      return [
        row['× tgt, write-through'] ?? row['× tgt'],
        row['CPU × tgt, write-through'] ?? row['CPU × tgt'],
      ]
    }
    return [name, ...[...of('local'), ...of('forwarded')].map(short)]
  })
  const names = ['', 'local: IOPS', 'server CPU each', 'forwarded: IOPS', 'server CPU each']
  return table([names, ...rows])
}

/** What the other disk of tgt has over the one that is compared with. */
function writeBack(results: string): string[] {
  const ratios = mainWorks
    .filter(({ reads }) => reads === 0)
    .map(({ name }) => {
      const row = rowsUnder(results, name).find(({ system }) => system === 'tgt')
      return Number(short(row?.['× tgt, write-through']))
    })
  return [
    `With its default write-back cache, \`tgt\` does ${Math.min(...ratios)} to ${Math.max(...ratios)} times as many writes, but may lose acknowledged ones.`,
  ]
}

function measuredAt(results: string): string {
  const [, ours] = /, at commit (.*), and not by hand\./.exec(results) ?? []
  if (ours === undefined) throw new Error('RESULTS.md does not say at which commit it was written')
  return `All of it is of commit ${ours}, with one copy of each page: what came later is in no figure.`
}

/** The rows of the first table under a heading, by the names of its columns. */
function rowsUnder(results: string, heading: string): Record<string, string>[] {
  const lines = results.split('\n')
  const at = lines.findIndex((line) => line.replace(/^#+ /, '') === heading && line.startsWith('#'))
  const start = lines.findIndex((line, i) => i > at && line.startsWith('|'))
  const end = lines.findIndex((line, i) => i > start && !line.startsWith('|'))
  if (at === -1 || start === -1) throw new Error(`RESULTS.md has no table under '${heading}'`)
  const [names = [], , ...rows] = lines.slice(start, end === -1 ? lines.length : end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  return rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? ''])))
}

/** Two digits: more would be taken for more than it is. */
function short(figure: string | undefined): string {
  const value = Number(figure)
  if (figure === undefined || figure === '' || Number.isNaN(value))
    throw new Error(`'${figure}' is no ratio`)
  return value >= 10 ? value.toFixed(0) : value.toPrecision(2)
}
