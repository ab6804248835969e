// For tests of the initiator: two scripted targets with one disk, an initiator's host, and virtual time.

import { Prng } from '../src/base/prng.ts'
import { Initiator } from '../src/initiator/initiator.ts'
import type { Answer } from '../src/initiator/pending-command.ts'
import type { InitiatorSettings } from '../src/initiator/settings.ts'
import { SimClock } from './clock.ts'
import { SimNet } from './net.ts'
import { ScriptedTarget } from './scripted-target.ts'
import { Timeline } from './timeline.ts'

export interface Scene {
  readonly timeline: Timeline
  readonly net: SimNet
  readonly a: ScriptedTarget
  readonly b: ScriptedTarget
  readonly settings: InitiatorSettings
}

/** Two targets, 'a' and 'b', with one disk; the initiator's portal is 'a'. */
export async function scene(differing: Partial<InitiatorSettings> = {}, seed = 1): Promise<Scene> {
  const timeline = new Timeline()
  const net = new SimNet(timeline, new Prng(seed))
  const targets: ScriptedTarget[] = []
  for (const name of ['a', 'b']) {
    const clock = new SimClock(timeline)
    const target = new ScriptedTarget(clock)
    await timeline.finish(
      target.listen(net.host(name, clock), { kind: 'tcp', host: name, port: 3260 }),
    )
    targets.push(target)
  }
  const [a, b] = targets
  if (a === undefined || b === undefined) throw new Error('two targets')
  Object.assign(b, { disk: a.disk })
  const clock = new SimClock(timeline)
  const settings: InitiatorSettings = {
    net: net.host('i', clock),
    clock,
    prng: new Prng(seed + 100),
    portal: { kind: 'tcp', host: 'a', port: 3260 },
    targetName: 'iqn.2026-11.dev.evenkeel:test',
    initiatorName: 'iqn.2026-11.dev.evenkeel:host',
    isid: { kind: 'stable', value: '00023d000001' },
    ...differing,
  }
  return { timeline, net, a, b, settings }
}

export const connect = (s: Scene) => s.timeline.finish(Initiator.connect(s.settings))
export const bytesOf = (n: number, seed = 1) =>
  Uint8Array.from({ length: n }, (_, i) => (i * 7 + seed) & 255)
export const statusOf = (answer: Answer) => (answer.kind === 'answered' ? answer.status : -1)
