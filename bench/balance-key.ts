// What decides the figures of a run: the code that makes it, and its scenario. Figures of other code, or of a scenario that was
// changed, are never taken for its own; and what is the same is never run twice.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { PolicyName } from '../src/simulate/policies.ts'
import type { Params } from '../src/simulate/scenario.ts'

const ROOT = new URL('../', import.meta.url)
const SIMULATOR = 'src/simulate/simulate.ts'
const COUNTS = 'bench/balance-counts.ts'
/** What this alone uses, the usual ways do without. */
const OWN = 'src/simulate/own-distributor.ts'
const DIGITS = 12

/** `import type` and comments decide nothing. */
const IMPORTS = /^(?:import|export) (?!type\b)[^'"]*?from '(\.[^']+)'/gm
const COMMENTS = /^\s*(?:\/\/.*|\/\*\*[\s\S]*?\*\/)\n/gm

function codeDigest(leftOut: readonly string[]): string {
  const read = new Map<string, string>()
  const take = (path: string): void => {
    if (read.has(path) || leftOut.includes(path)) return
    const url = new URL(path, ROOT)
    const text = readFileSync(url, 'utf8').replaceAll(COMMENTS, '')
    read.set(path, text)
    for (const [, to = ''] of text.matchAll(IMPORTS)) {
      take(new URL(to, url).pathname.slice(ROOT.pathname.length))
    }
  }
  for (const path of [SIMULATOR, COUNTS]) take(path)
  return digestOf([...read].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const digestOf = (value: unknown) =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, DIGITS)

/** By which a run is known again, besides what it was asked for. */
export class Keys {
  readonly own = codeDigest([])
  readonly usual = codeDigest([OWN])

  of(policy: PolicyName, params: Params): string {
    return digestOf([policy.startsWith('sgr') ? this.own : this.usual, params])
  }
}
