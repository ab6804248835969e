// A member process that only says that it is ready, for the tests of supervision: node member-in-miniature.fixture.ts
// BEHAVIOUR FILE. It appends what happens to it to `${dataFolder}/history`, and m1 answers as the API would.
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { OperatorInMemory } from '../api/operator-in-memory.fixture.ts'
import { startApi } from '../api/server.ts'
import { loadConfig } from '../member/config-file.ts'

const [behaviour = '', file = ''] = process.argv.slice(2)
const { memberId, dataFolder, api, portal } = await loadConfig(file)
mkdirSync(dataFolder, { recursive: true })
const note = (what: string) => appendFileSync(`${dataFolder}/history`, `${what} ${process.pid}\n`)

note('started')
process.stdin.resume().on('end', () => {
  note('supervisor gone')
  process.exit(0)
})
if (behaviour === 'refuse-m2' && memberId === 'm2') {
  process.stderr.write('evenkeel: The data folder was written by a newer version.\n')
  process.exit(1)
}
if (behaviour !== 'stubborn') {
  process.on('SIGTERM', () => {
    note('told to stop')
    process.exit(0)
  })
}
const { url } = await startApi(new OperatorInMemory(), { ...api, version: '0', failed: () => {} })
if (behaviour === 'slow') await new Promise(() => {})
const line = {
  ready: true,
  id: memberId,
  portal: `${portal.host}:${portal.port}`,
  api: url,
  pid: process.pid,
  boot: `boot of ${process.pid}`,
}
process.stdout.write(`${JSON.stringify(line)}\n`)
note(`ready ${readFileSync(file, 'utf8').length > 0}`)
