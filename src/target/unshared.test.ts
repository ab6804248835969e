// Hosts that want a volume that is not shared, in a simulated group.
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { portalOf } from '../../sim/settings.ts'
import { startGroup } from '../../test/kit/sim-group.ts'
import { type MemberId, memberId, sessionId } from '../base/ids.ts'
import type { Net } from '../base/net.ts'
import { Initiator } from '../initiator/initiator.ts'

const SAME = 'iqn.2008-11.org.linux-kvm'

/** `login` rejects with why the target refuses, or gives the initiator. */
async function contest(seed: number) {
  const scene = await startGroup(seed)
  const { group, timeline, events } = scene
  const hosts = new Map<string, { net: Net; clock: SimClock }>()
  const newHost = (name: string) => {
    const clock = new SimClock(timeline)
    const host = { net: group.net.host(name, clock), clock }
    hosts.set(name, host)
    return host
  }
  const dial = (
    host: string,
    portal: MemberId,
    who: { name?: string; isid?: string | null } = {},
  ) => {
    const { name = SAME, isid = null } = who
    const { net, clock } = hosts.get(host) ?? newHost(host)
    return Initiator.connect({
      net,
      clock,
      prng: group.prng.fork(),
      portal: portalOf(portal),
      targetName: group.ownVolume.iqn,
      initiatorName: name,
      isid: isid === null ? { kind: 'random' } : { kind: 'stable', value: isid },
      behaviour: { pingIdleMs: 600_000, giveUpMs: 100_000 },
    })
  }
  const login = (...of: Parameters<typeof dial>) => timeline.finish(dial(...of), 100_000)
  const refusals = () => events.flatMap((event) => (event.kind === 'reject' ? [event.reason] : []))
  const living = () => group.records().filter(({ record }) => record.state === 'live')
  return { ...scene, dial, login, refusals, living }
}

describe('a volume that is not shared', () => {
  it('L6 O3 is refused to a second name, and to a second address of one name, with what a shared one is for', async () => {
    const { login, refusals, living, group } = await contest(31)
    const first = await login('a', memberId('m1'))
    for (const who of [{ name: 'iqn.2026-11.test:other' }, {}, { isid: '00023d000001' }]) {
      await expect(login('b', memberId('m2'), who)).rejects.toThrow('0202')
    }
    const [record] = living()
    expect(living()).toHaveLength(1)
    for (const sentence of refusals()) {
      expect(sentence).toBe(
        `volume 'own' is not shared, and ${SAME} at a has it (session ${record?.id} on m1); only a volume that was made with --shared takes several hosts, for live migration or a cluster file system`,
      )
    }
    expect(refusals()).toHaveLength(3)
    expect(first.travels.logins).toBe(1)
    expect(group.violations).toEqual([])
  })

  it('L6 is taken by further sessions of its host, and by its host again after a loss', async () => {
    const { login, living, timeline } = await contest(32)
    const first = await login('a', memberId('m1'))
    await login('a', memberId('m2'))
    await login('a', memberId('m3'), { isid: '00023d000001' })
    await login('a', memberId('m3'), { isid: '00023d000001' })
    expect(living()).toHaveLength(3)
    first.breakConnection()
    await timeline.until(() => first.phase === 'serving' && first.travels.logins === 2)
    await timeline.run(timeline.nowMs + 2_000)
    expect(living()).toHaveLength(3)
  })

  it('L6 is taken by its host from a new address if the login has the same ISID: the earlier session ends', async () => {
    const { login, living } = await contest(33)
    const isid = '00023d000001'
    await login('a', memberId('m1'), { isid })
    await login('b', memberId('m1'), { isid })
    expect(living().map(({ record }) => [record.source, record.gen])).toEqual([['b', 2]])
  })

  it('L6 is free when its host has left', async () => {
    const { login, living, timeline } = await contest(34)
    const first = await login('a', memberId('m1'))
    await timeline.finish(first.close())
    await login('b', memberId('m2'))
    expect(living().map(({ record }) => record.source)).toEqual(['b'])
  })

  it('L6 comes back to its host after a move, and to nobody else meanwhile', async () => {
    const { group, dial, login, living, timeline, refusals } = await contest(35)
    const first = await login('a', memberId('m1'))
    const session = living()[0]?.id ?? sessionId(0)
    group.net.cut('m3', 'a', 'drop')
    const order = {
      id: 'move-1',
      to: memberId('m3'),
      by: 'operator',
      code: 'hand',
      reason: '',
    } as const
    const none = { predicted: null, proposal: null, estimate: null }
    const target = group.member(memberId('m1')).member?.target
    if (target === undefined) throw new Error('m1 does not run')
    await timeline.finish(target.move(session, { ...order, ...none }))
    expect(living()[0]?.record.move?.open).toBe(true)
    const second = dial('b', memberId('m2')).catch((error: unknown) => String(error))
    await timeline.run(timeline.nowMs + 1_000)
    expect(refusals()[0]).toContain('try again')
    group.net.healAll()
    await timeline.until(() => first.travels.logins === 2, 10_000)
    expect(await timeline.finish(second)).toContain('0202')
    expect(living().map(({ record }) => record.source)).toEqual(['a'])
  })

  it('O1 of a host that is silent is not given away before its member gives it up', async () => {
    const { group, login, living, timeline, refusals } = await contest(36)
    const first = await login('a', memberId('m1'))
    group.net.cut('m1', 'a', 'stick')
    const writing = first.write(0, new Uint8Array(group.blockBytes)).catch(() => null)
    const startMs = timeline.nowMs
    const second = await login('b', memberId('m2'))
    expect(timeline.nowMs - startMs).toBeGreaterThan(55_000)
    expect(timeline.nowMs - startMs).toBeLessThan(75_000)
    expect(refusals().length).toBeGreaterThan(5)
    expect(refusals()[0]).toContain('gives no sign of life now')
    expect(living().map(({ record }) => record.source)).toEqual(['b'])
    group.net.healAll()
    await timeline.finish(second.write(0, new Uint8Array(group.blockBytes).fill(7)))
    await timeline.run(timeline.nowMs + 20_000)
    const read = new Uint8Array(group.blockBytes)
    await timeline.finish(second.read(0, 1, read))
    expect(read[0]).toBe(7)
    await timeline.finish(first.close())
    await writing
  })

  it('O1 of a host whose member is silent is not given away', async () => {
    const { group, dial, login, living, timeline } = await contest(37)
    await login('a', memberId('m1'))
    group.net.cut('m1', 'm2', 'drop')
    const second = dial('b', memberId('m2')).then(
      () => 'taken',
      (error: unknown) => String(error),
    )
    await timeline.run(timeline.nowMs + 8_000)
    expect(living().map(({ record }) => record.source)).toEqual(['a'])
    group.net.healAll()
    expect(await timeline.finish(second)).toContain('0202')
  })

  it('O4 what is over of another host is fenced by who takes the volume, as long as a primary may not know', async () => {
    const { group, login, living, timeline } = await contest(39)
    const first = await login('a', memberId('m1'))
    const before = living()[0]?.id ?? 0
    const { gateway } = group.member(memberId('m3')).member ?? {}
    if (gateway === undefined) throw new Error('m3 does not run')
    const fences: number[] = []
    const fence = gateway.fence.bind(gateway)
    gateway.fence = (id, gen) => {
      fences.push(id)
      fence(id, gen)
    }
    // m2 does not hear from m1 that the session is over: what m1 sent it before may still be on its way.
    group.net.cut('m1', 'm2', 'stick')
    await timeline.finish(first.close())
    await timeline.until(() => group.records()[0]?.record.state === 'dead')
    await login('b', memberId('m3'), { name: 'iqn.2026-11.test:other' })
    expect(fences).toContain(before)
  })

  it('O2 what a crash left of a session is closed and fenced, and the volume is free', async () => {
    const { group, login, living, timeline } = await contest(38)
    const first = await login('a', memberId('m1'))
    const before = living()[0]
    const { target, gateway } = group.member(memberId('m2')).member ?? {}
    const fences: number[] = []
    const fence = gateway?.fence.bind(gateway)
    if (gateway !== undefined && fence !== undefined) {
      gateway.fence = (id, gen) => {
        fences.push(id)
        fence(id, gen)
      }
    }
    // Its member has lost it, and has not yet closed its record.
    const owner = group.member(memberId('m1')).member?.target
    const session = owner?.registry.get(before?.id ?? sessionId(0))
    if (owner === undefined || session === undefined || target === undefined) throw new Error('no')
    owner.ending.closeEnded = async () => {}
    owner.ending.sweep = async () => []
    group.net.crash('a', 'process')
    await timeline.until(() => owner.registry.size === 0)
    expect(living()).toHaveLength(1)
    await login('b', memberId('m2'))
    expect(living().map(({ record }) => record.source)).toEqual(['b'])
    expect(fences).toContain(before?.id)
    expect(first.travels.logins).toBe(1)
  })
})
