// Whether a real Prometheus takes what is in deploy/: a group of three under load is scraped once a second, and every query
// of the dashboards is put to it; then a member is stopped, and the alert for it must come. Not part of `npm test`: Debian's
// package `prometheus` is 100 MB. `npm run check:metrics` wants `prometheus` and `promtool` in PATH, or in the folder
// PROMETHEUS (apt-get download prometheus; dpkg -x prometheus_*.deb FOLDER; PROMETHEUS=FOLDER/usr/bin).
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseAddress } from '../src/base/net.ts'
import { Worker } from '../src/cli/demo/worker.ts'
import { SystemClock } from '../src/io/clock.ts'
import { SystemNet } from '../src/io/net.ts'
import { freeRange, run, startGroupAnywhere, stopGroup } from '../test/e2e/running-group.ts'
import { dashboards } from './grafana/dashboards.ts'
import { dashboardJson } from './grafana/panels.ts'
import { queriesIn } from './grafana/queries.ts'

const DEPLOY = fileURLToPath(new URL('../deploy/prometheus/', import.meta.url))
const LOAD_SECONDS = 45
const ALERT_SECONDS = 120
const RATES = [600, 300, 150]
const VOLUME_BYTES = 1024 ** 3
/** What shows only what there is may show nothing. */
const MAY_BE_EMPTY = /> 0\)?$|evenkeel_problem/

const { PROMETHEUS = '', PATH = '' } = process.env
const env = { ...process.env, PATH: PROMETHEUS + delimiter + PATH }
const folder = await mkdtemp(join(tmpdir(), 'evenkeel-metrics-'))
const wrong: string[] = []

interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [number, string]
}

await promtool('check', 'rules', `${DEPLOY}alerts.yaml`)
await promtool('test', 'rules', `${DEPLOY}alerts.test.yaml`)
await promtool('check', 'config', `${DEPLOY}prometheus.yaml`)
const group = await startGroupAnywhere(join(folder, 'data'))
const prometheus = await startPrometheus()
const workers: Worker[] = []
try {
  await lint()
  await load()
  await askAll()
  await stopMember()
} finally {
  for (const worker of workers) await worker.stop()
  prometheus.process.kill('SIGTERM')
  await stopGroup(group)
  await rm(folder, { recursive: true, force: true })
}
for (const sentence of wrong) console.error(sentence)
console.log(wrong.length === 0 ? 'All is well.' : `${wrong.length} things are wrong.`)
process.exit(wrong.length === 0 ? 0 : 1)

async function promtool(...words: string[]): Promise<void> {
  const { stdout } = await run('promtool', words, { env })
  console.log(
    `promtool ${words.slice(0, 2).join(' ')}: ${stdout.trim().split('\n').at(-1)?.trim()}`,
  )
}

/** Names and help as Prometheus wants them, in what each member exports. */
async function lint(): Promise<void> {
  const text = await (await fetch(`${group.ready.api}/metrics`)).text()
  const child = spawn('promtool', ['check', 'metrics'], {
    env,
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  child.stdin.end(text)
  const [code] = await new Promise<[number | null]>((resolve) => {
    child.once('close', (ended) => resolve([ended]))
  })
  console.log(`promtool check metrics: exit code ${code}, ${text.split('\n').length} lines`)
  if (code !== 0) wrong.push('promtool check metrics finds fault with what a member exports')
}

interface Scraper {
  readonly process: ChildProcess
  readonly url: string
}

async function startPrometheus(): Promise<Scraper> {
  const { items } = await api<{ items: { api: string }[] }>('GET', '/api/v1/members')
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [`${DEPLOY}alerts.yaml`],
    scrape_configs: [
      {
        job_name: 'evenkeel',
        static_configs: [{ targets: items.map((one) => new URL(one.api).host) }],
      },
    ],
  }
  const file = join(folder, 'prometheus.yaml')
  await writeFile(file, JSON.stringify(config))
  const url = `http://127.0.0.1:${await freeRange(1)}`
  const words = [`--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'tsdb')}`]
  const listens = `--web.listen-address=${new URL(url).host}`
  const child = spawn('prometheus', [...words, listens, '--log.level=error'], {
    env,
    stdio: 'inherit',
  })
  for (;;) {
    const answer = await fetch(`${url}/-/ready`).catch(() => null)
    if (answer?.ok) return { process: child, url }
    if (child.exitCode !== null) throw new Error('prometheus has ended')
    await sleep(100)
  }
}

async function api<T>(method: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(`${group.ready.api}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  return (await answer.json()) as T
}

/** Clients at one member, a move by hand, and a command that is refused. */
async function load(): Promise<void> {
  const [first] = group.ready.members
  const [net, clock] = [new SystemNet(), new SystemClock()]
  for (const [i, rate] of RATES.entries()) {
    const wish = { name: `client${i}`, bytes: VOLUME_BYTES }
    const { iqn, ...more } = await api<{ iqn: string }>('POST', '/api/v1/volumes', wish)
    if (iqn === undefined) throw new Error(`no volume: ${JSON.stringify(more)}`)
    const portal = parseAddress(first?.portal ?? '')
    const settings = { net, clock, portal, targetName: iqn, volumeBytes: VOLUME_BYTES }
    const worker = await Worker.start({ ...settings, number: i + 1 })
    worker.rate = rate
    workers.push(worker)
  }
  await sleep(5_000)
  const { items } = await api<{ items: { id: string; member: string }[] }>(
    'GET',
    '/api/v1/sessions',
  )
  const [session] = items
  const to = session?.member === 'm2' ? 'm3' : 'm2'
  for (let tries = 0; tries < 10; tries += 1) {
    const move = await api<object>('POST', `/api/v1/sessions/${session?.id}/move`, { to })
    if ('outcome' in move && move.outcome === 'returned') break
    console.log(`the move has to be asked for again: ${JSON.stringify(move)}`)
    await sleep(2_000)
  }
  // The first of a kind is where its series begins; the second is one more.
  for (let times = 0; times < 2; times += 1) {
    await workers[0]?.initiator.read(2 ** 40, 1, new Uint8Array(512))
    await sleep((LOAD_SECONDS * 1_000) / 2)
  }
}

async function ask(expr: string): Promise<readonly Series[]> {
  const query = expr
    .replaceAll('$job', 'evenkeel')
    .replaceAll(/\$(member|volume)\b/g, '.*')
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '10m')
  const body = new URLSearchParams({ query })
  const answer = await fetch(`${prometheus.url}/api/v1/query`, { method: 'POST', body })
  const { status, error, data } = (await answer.json()) as {
    status: string
    error?: string
    data?: { result: readonly Series[] }
  }
  if (status !== 'success') wrong.push(`${expr}: ${error}`)
  return data?.result ?? []
}

async function askAll(): Promise<void> {
  for (const dashboard of dashboards) {
    console.log(`\n${dashboard.title}`)
    for (const { title, expr } of queriesIn(dashboardJson(dashboard))) {
      const series = await ask(expr)
      const [one] = series
      const shown = one === undefined ? 'nothing' : `${JSON.stringify(one.metric)} ${one.value[1]}`
      console.log(`  ${title.padEnd(34)} ${String(series.length).padStart(3)}  ${shown}`)
      const isNumber = series.some(({ value }) => Number.isFinite(Number(value[1])))
      if (series.length === 0 && !MAY_BE_EMPTY.test(expr)) wrong.push(`${title}: nothing: ${expr}`)
      if (series.length > 0 && !isNumber) wrong.push(`${title}: no number: ${expr}`)
    }
  }
  const rules = await fetch(`${prometheus.url}/api/v1/rules`)
  const { data } = (await rules.json()) as {
    data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] }
  }
  const all = data.groups.flatMap((one) => one.rules)
  for (const { name, health, lastError } of all) {
    if (health !== 'ok') wrong.push(`the rule ${name} is ${health}: ${lastError}`)
  }
  console.log(
    `\n${all.length} rules are evaluated; alerts: ${(await alerts()).join(', ') || 'none'}`,
  )
}

async function alerts(): Promise<readonly string[]> {
  const answer = await fetch(`${prometheus.url}/api/v1/alerts`)
  const { data } = (await answer.json()) as {
    data: { alerts: { state: string; labels: Record<string, string> }[] }
  }
  return data.alerts.map(({ state, labels }) => `${labels['alertname']} ${state}`)
}

async function stopMember(): Promise<void> {
  const pid = group.ready.members.find(({ id }) => id === 'm3')?.pid
  if (pid === undefined) throw new Error('m3 has no process')
  process.kill(pid, 'SIGSTOP')
  const startMs = performance.now()
  try {
    while (!(await alerts()).includes('EvenkeelMemberDown firing')) {
      await sleep(500)
      if (performance.now() - startMs < ALERT_SECONDS * 1_000) continue
      wrong.push(`no alert for a member that stands still: ${(await alerts()).join(', ')}`)
      return
    }
    const seconds = Math.round((performance.now() - startMs) / 1_000)
    console.log(
      `m3 was stopped: EvenkeelMemberDown after ${seconds} s; ${(await alerts()).join(', ')}`,
    )
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}
