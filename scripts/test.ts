// Runs the checks one after the other, then vitest, and ends with one line `N passed, N failed`: each check counts as one, and each
// test. Exits with 1 unless everything passed. Arguments are handed to vitest (files, -t name).
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Count, countTests, sum } from './count-tests.ts'

const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['style', 'biome', 'check', '--error-on-warnings'],
  ['types', 'tsc', '-p', 'tsconfig.json'],
  ['types of the rooms without Node', 'tsc', '-p', 'tsconfig.quiet.json'],
  ['types of the dashboard', 'tsc', '-p', 'dashboard/tsconfig.json'],
  ['dead code', 'knip'],
]

interface Ended {
  readonly code: number | null
  readonly output: string
}

/** With `show`, what the command prints is seen as it comes; else it is returned. */
function runCommand(command: string, args: readonly string[], show: boolean): Promise<Ended> {
  const child = spawn(command, args, {
    stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
  })
  const parts: Buffer[] = []
  child.stdout?.on('data', (part: Buffer) => parts.push(part))
  child.stderr?.on('data', (part: Buffer) => parts.push(part))
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => child.kill(signal))
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, output: error.message }))
    child.once('close', (code) => resolve({ code, output: Buffer.concat(parts).toString() }))
  })
}

async function runCheck([name, command, ...args]: (typeof checks)[number]): Promise<Count> {
  const startMs = performance.now()
  const { code, output } = await runCommand(command, args, false)
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  if (code === 0) {
    console.log(`passed  ${name} (${seconds} s)`)
    return { passed: 1, failed: 0 }
  }
  console.log(`FAILED  ${name}: ${[command, ...args].join(' ')}\n${output}`)
  return { passed: 0, failed: 1 }
}

async function runTests(args: readonly string[]): Promise<Count> {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-test-'))
  const file = join(folder, 'report.json')
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const { code } = await runCommand('vitest', ['run', ...reporters, ...args], true)
    const report = existsSync(file) ? await readFile(file, 'utf8') : null
    const { count, remarks } = countTests(report, code)
    for (const remark of remarks) console.log(`FAILED  ${remark}`)
    return count
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const counts: Count[] = []
for (const check of checks) counts.push(await runCheck(check))
counts.push(await runTests(process.argv.slice(2)))
const { passed, failed } = sum(counts)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
