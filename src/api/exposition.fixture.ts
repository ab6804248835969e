// Reads Prometheus' text format, strictly: throws at the first line that breaks it. For tests.

export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly samples: readonly Sample[]
}

export interface Sample {
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
}

const NAME = /^[a-z][a-z0-9_]*$/
const SAMPLE = /^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-z_]+)="((?:[^"\\]|\\[\\n"])*)"(,|$)/y
const SUFFIXES = { counter: [''], gauge: [''], histogram: ['_bucket', '_sum', '_count'] } as const

interface Open extends Family {
  readonly samples: Sample[]
}

export function readExposition(text: string): ReadonlyMap<string, Family> {
  const families = new Map<string, Open>()
  const seen = new Set<string>()
  let help: readonly string[] = []
  let open: Open | null = null
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of text.split('\n')) {
    const [mark, what, ...words] = line.split(' ')
    if (mark === '#' && what === 'HELP') help = words
    else if (mark === '#' && what === 'TYPE') {
      open = openFamily(words, help)
      if (families.has(open.name)) throw new Error(`${line}: a second time`)
      families.set(open.name, open)
    } else if (line !== '') {
      const series = line.replace(/ \S+$/, '')
      if (open === null || seen.has(series)) throw new Error(`${line}: a second time`)
      seen.add(series)
      open.samples.push(readSample(line, open))
    }
  }
  return families
}

function openFamily([name = '', type = '']: readonly string[], help: readonly string[]): Open {
  const [of, ...words] = help
  const isType = (text: string): text is Family['type'] => text in SUFFIXES
  if (of === name && NAME.test(name) && isType(type)) {
    return { name, help: words.join(' '), type, samples: [] }
  }
  throw new Error(`${name} ${type}: no name, no type, or no HELP before it`)
}

function readSample(line: string, { name: family, type }: Family): Sample {
  const [, name = '', pairs = '', number = ''] = SAMPLE.exec(line) ?? []
  const isOurs = SUFFIXES[type].some((suffix) => name === family + suffix)
  const value = Number(number)
  if (!isOurs || !Number.isFinite(value)) throw new Error(`${line}: no sample of ${family}`)
  const labels = new Map<string, string>()
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < pairs.length) {
    const [, label = '', quoted = ''] = LABEL.exec(pairs) ?? []
    if (label === '' || labels.has(label)) throw new Error(`${line}: its labels cannot be read`)
    labels.set(label, JSON.parse(`"${quoted}"`))
  }
  return { name, labels, value }
}
