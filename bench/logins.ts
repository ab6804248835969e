// How long is a login beside how many sessions of its initiator name? Each of them is asked by the login's barrier.
//
//   ./bin/evenkeel up --members 2 --placement off --balance off   (elsewhere)
//   ./bin/evenkeel volume create v --size 1G --shared
//   sh scripts/node.sh bench/logins.ts IQN PORTAL[,PORTAL…] [sessions]
//
// The sessions are of the random kind, at the portals in turn, and answer no NOP-In, so the barriers hold every one of them.
import { BufferPool } from '../src/base/buffer-pool.ts'
import { Prng } from '../src/base/prng.ts'
import { Dial, type DialOutcome } from '../src/initiator/dial.ts'
import { ordinaryBehaviour, randomIsid } from '../src/initiator/settings.ts'
import type { Wire } from '../src/initiator/wire.ts'
import { SystemClock } from '../src/io/clock.ts'
import { SystemNet } from '../src/io/net.ts'
import { parsePortal } from '../src/iscsi/names.ts'
import { initiatorSettings } from '../src/iscsi/negotiate.ts'

const LOGIN_MS = 10_000
/** Logins of which the mean is printed. */
const SAMPLE = 20

const [targetName = '', where = '', most = '400'] = process.argv.slice(2)
const portals = where.split(',').map((text) => parsePortal(text))
const clock = new SystemClock()
const net = new SystemNet()
const prng = new Prng(1)
const buffers = new BufferPool(0)
const wires: Wire[] = []

function login(): Promise<number> {
  const portal = portals[wires.length % portals.length]
  if (portal === undefined || portal === null) throw new Error(`no portal: ${where}`)
  const beganMs = clock.nowMs()
  return new Promise((resolve, reject) => {
    const settled = (outcome: DialOutcome) => {
      if (outcome.kind === 'failed') return reject(new Error(outcome.reason))
      outcome.wire.consumer = { receive() {}, drained() {}, over() {} }
      wires.push(outcome.wire)
      resolve(clock.nowMs() - beganMs)
    }
    const who = {
      initiatorName: 'iqn.2026-11.dev.evenkeel.bench:logins',
      isid: randomIsid(prng),
      securityStage: ordinaryBehaviour.securityStage,
      ...{ targetName, cmdSn: 1, cid: 0, keys: initiatorSettings },
    }
    const address = { kind: 'tcp', ...portal } as const
    new Dial({ net, clock, buffers, portal: address, login: who, limitMs: LOGIN_MS }, settled)
  })
}

let times: number[] = []
while (wires.length < Number(most)) {
  times.push(await login())
  if (times.length < SAMPLE) continue
  times.sort((a, b) => a - b)
  const [least = 0, median = 0] = [times[0], times[SAMPLE / 2]]
  console.log(
    `${wires.length - SAMPLE} to ${wires.length} sessions: median ${median.toFixed(1)} ms, least ${least.toFixed(1)} ms`,
  )
  times = []
}
for (const wire of wires) wire.destroy('over')
process.exit(0)
