import { expect, test } from 'vitest'
import { judge } from '../../sim/checkers/linearizability.ts'
import { SimClock } from '../../sim/clock.ts'
import { bytesOf, connect, scene, statusOf } from '../../sim/scripted-scene.ts'
import { ScriptedTarget } from '../../sim/scripted-target.ts'
import { isRandomIsid } from '../base/isid.ts'
import { Prng } from '../base/prng.ts'
import { SystemClock } from '../io/clock.ts'
import { SystemNet } from '../io/net.ts'
import { asyncEvent } from '../iscsi/pdu.ts'
import { testUnitReadyCdb } from './cdb.ts'
import { discover } from './discover.ts'
import { History } from './history.ts'
import { Initiator } from './initiator.ts'

test('R1 R4 many commands at once are each answered once, never more than the queue depth out', async () => {
  const s = await scene({ behaviour: { queueDepth: 5 } })
  let out = 0
  let most = 0
  s.a.command = () => {
    out++
    most = Math.max(most, out)
    return { kind: 'hold' }
  }
  const it = await connect(s)
  let answers = 0
  const all = Array.from({ length: 200 }, (_, i) =>
    it.command({ cdb: testUnitReadyCdb(), lun: 0 }).then((answer) => {
      expect(statusOf(answer)).toBe(0)
      answers++
      return i
    }),
  )
  expect(it.underWay).toBe(200)
  while (answers < 200) {
    await s.timeline.until(() => s.a.last.held.length > 0)
    out -= s.a.last.held.length
    s.a.last.release()
    await s.timeline.run(s.timeline.nowMs + 5)
  }
  expect(await Promise.all(all)).toHaveLength(200)
  expect(most).toBe(5)
  expect(it.underWay).toBe(0)
})

test('R4 more commands than the bound are refused', async () => {
  const s = await scene({ behaviour: { queueDepth: 2, commandsMax: 3 } })
  s.a.command = () => ({ kind: 'hold' })
  const it = await connect(s)
  const three = [1, 2, 3].map(() => it.command({ cdb: testUnitReadyCdb() }))
  await expect(it.command({ cdb: testUnitReadyCdb() })).rejects.toThrow('more than 3')
  const ends = Promise.allSettled(three)
  await s.timeline.finish(it.close())
  expect((await ends).map((end) => end.status)).toEqual(['rejected', 'rejected', 'rejected'])
})

test('R3 a redirection is followed for one login; the next begins at the portal again', async () => {
  const s = await scene()
  let to: 'b' | null = 'b'
  s.a.login = () => (to === null ? { kind: 'admit' } : { kind: 'redirect', to: `${to}:3260` })
  const it = await connect(s)
  expect(it.address).toBe('b:3260')
  expect(it.travels.redirects).toBe(1)
  expect(s.b.logins).toHaveLength(1)
  to = null
  it.breakConnection()
  await s.timeline.until(() => it.phase === 'serving')
  expect(it.address).toBe('a:3260')
  expect(it.travels).toMatchObject({ reconnects: 1, movesFollowed: 0, logins: 2 })
  await s.timeline.run(s.timeline.nowMs + 50)
  expect(s.a.open + s.b.open).toBe(1)
})

test('I2 a redirection without end is given up, and tried again later', async () => {
  const s = await scene({ behaviour: { giveUpMs: 3000 } })
  s.a.login = () => ({ kind: 'redirect', to: 'b:3260' })
  s.b.login = () => ({ kind: 'redirect', to: 'a' })
  await expect(connect(s)).rejects.toThrow('without end')
  expect(s.a.logins.length).toBeGreaterThan(10)
  // Along one chain the ISID is one.
  const random = await scene({ isid: { kind: 'random' } })
  random.a.login = () => ({ kind: 'redirect', to: 'b:3260' })
  await connect(random)
  expect(random.b.logins[0]?.isid).toBe(random.a.logins[0]?.isid)
})

test('an ISID stays the same, or is another of the random kind at each login', async () => {
  for (const kind of ['stable', 'random'] as const) {
    const isid = kind === 'stable' ? { kind, value: '00023d000007' } : { kind }
    const s = await scene({ isid })
    const it = await connect(s)
    const used: string[] = []
    for (let i = 0; i < 3; i++) {
      it.breakConnection()
      await s.timeline.until(() => it.phase === 'serving')
    }
    for (const { isid: seen } of s.a.logins) used.push(seen)
    expect(new Set(used).size).toBe(kind === 'stable' ? 1 : 4)
    expect(used.every((x) => isRandomIsid(x) === (kind === 'random'))).toBe(true)
  }
})

test('a first login that is refused rejects at once; one refused later is tried again', async () => {
  const s = await scene()
  s.a.login = () => ({ kind: 'reject', status: 0x0203 })
  await expect(connect(s)).rejects.toThrow('0203')
  expect(s.timeline.nowMs).toBeLessThan(100)
  s.a.login = () => ({ kind: 'admit' })
  const it = await connect(s)
  let refusals = 0
  s.a.login = () => (++refusals < 5 ? { kind: 'reject', status: 0x0203 } : { kind: 'admit' })
  it.breakConnection()
  await s.timeline.until(() => it.phase === 'serving')
  expect(it.travels.loginFailures).toBe(4)
})

for (const event of [asyncEvent.connectionDrops, asyncEvent.sessionDrops]) {
  test(`R5 asked with event ${event} it waits for the close, then Time2Wait, and comes back by the portal`, async () => {
    for (const time2Wait of [0, 3]) {
      const s = await scene()
      const it = await connect(s)
      await s.timeline.finish(it.command({ cdb: testUnitReadyCdb() }))
      s.a.login = () => ({ kind: 'redirect', to: 'b:3260' })
      s.a.last.iscsi.asyncMessage(event, 0, time2Wait, 0)
      s.a.last.flush()
      await s.timeline.run(s.timeline.nowMs + 20)
      // Still served: only the close ends it.
      expect(statusOf(await s.timeline.finish(it.command({ cdb: testUnitReadyCdb() })))).toBe(0)
      const leftMs = s.timeline.nowMs
      s.a.last.stream.end()
      const pending = it.command({ cdb: testUnitReadyCdb() })
      await s.timeline.finish(pending)
      const awayMs = s.timeline.nowMs - leftMs
      expect(awayMs).toBeGreaterThanOrEqual(time2Wait * 1000)
      expect(awayMs).toBeLessThan(time2Wait * 1000 + 20)
      expect(it.address).toBe('b:3260')
      expect(it.travels).toMatchObject({ movesFollowed: 1, reconnects: 0, asyncMessages: 1 })
      expect(it.travels.gaps).toMatchObject([{ cause: 'move', from: 'a:3260', to: 'b:3260' }])
    }
  })
}

test('R5 A4 asked to log out it does, sends nothing more there, and comes back', async () => {
  const s = await scene()
  s.a.command = () => ({ kind: 'hold' })
  const it = await connect(s)
  const write = it.write(0, bytesOf(512))
  await s.timeline.until(() => s.a.last.held.length === 1)
  const first = s.a.last
  s.a.command = () => ({ kind: 'run' })
  first.iscsi.asyncMessage(asyncEvent.logoutRequested, 0, 0, 5)
  first.flush()
  await s.timeline.until(() => first.loggedOut)
  const seen = s.a.seen.length
  expect(statusOf(await s.timeline.finish(write))).toBe(0)
  expect(it.travels).toMatchObject({ movesFollowed: 1, resent: 1 })
  expect(s.a.seen.slice(seen).every(({ connection }) => connection === 1)).toBe(true)
})

test('R2 what a lost connection left unanswered is sent again, in order, before newer commands', async () => {
  for (const loss of ['fin', 'reset', 'crash'] as const) {
    const s = await scene({ behaviour: { queueDepth: 8 } })
    s.a.command = () => ({ kind: 'hold' })
    const it = await connect(s)
    const all = Array.from({ length: 20 }, (_, i) => it.write(i, bytesOf(512, i)))
    await s.timeline.until(() => s.a.last.held.length === 8)
    s.a.command = () => ({ kind: 'run' })
    if (loss === 'fin') s.a.last.stream.end()
    else if (loss === 'reset') s.a.last.stream.destroy()
    else {
      s.net.crash('a')
      await s.timeline.run(s.timeline.nowMs + 500)
      const clock = new SimClock(s.timeline)
      await s.timeline.finish(
        s.a.listen(s.net.host('a', clock), { kind: 'tcp', host: 'a', port: 3260 }),
      )
    }
    await s.timeline.finish(Promise.all(all))
    const again = s.a.seen.filter(({ connection }) => connection > 0)
    expect(again.map(({ lba }) => lba)).toEqual(Array.from({ length: 20 }, (_, i) => i))
    const first = again[0]?.cmdSn ?? 0
    expect(again.map(({ cmdSn }) => cmdSn)).toEqual(again.map((_, i) => (first + i) >>> 0))
    expect(it.travels).toMatchObject({ reconnects: 1, resent: 8 })
    expect(it.travels.gaps[0]).toMatchObject({ cause: 'loss', resent: 8 })
  }
})

test('a silent target is asked for a sign of life, given up, and come back to', async () => {
  const s = await scene()
  const it = await connect(s)
  const answered = s.timeline.nowMs
  // An idle session that answers stays.
  await s.timeline.run(answered + 30_000)
  expect(it.travels.logins).toBe(1)
  s.net.cut('i', 'a', 'drop')
  const pending = it.command({ cdb: testUnitReadyCdb() })
  await s.timeline.until(() => it.phase !== 'serving')
  expect(it.travels.lastLoss).toContain('NOP-Out')
  s.net.heal('i', 'a')
  expect(statusOf(await s.timeline.finish(pending))).toBe(0)
})

test('a command that is never answered ends the connection, if asked so', async () => {
  const s = await scene({ behaviour: { commandLimitMs: 2000 } })
  s.a.command = () => ({ kind: 'runUnanswered' })
  const it = await connect(s)
  const write = it.write(0, bytesOf(512))
  await s.timeline.until(() => it.phase !== 'serving')
  s.a.command = () => ({ kind: 'run' })
  expect(statusOf(await s.timeline.finish(write))).toBe(0)
  expect(it.travels.resent).toBe(1)
})

test('R1 without a session for too long everything fails, with the reason', async () => {
  const s = await scene({ behaviour: { giveUpMs: 10_000, loginLimitMs: 1000 } })
  const it = await connect(s)
  s.net.crash('a', 'power')
  it.breakConnection()
  const lost = it.write(0, bytesOf(512))
  await expect(s.timeline.finish(lost)).rejects.toThrow('no session for 10000 ms')
  expect(it.phase).toBe('ended')
  await expect(it.command({ cdb: testUnitReadyCdb() })).rejects.toThrow('no session')
  await s.timeline.run(s.timeline.nowMs + 60_000)
  // Nothing of it is left: no timer, no connection.
  expect(s.timeline.pending).toBe(0)
})

test('BUSY and UNIT ATTENTION are tried again, unless asked otherwise', async () => {
  const s = await scene()
  const sense = Uint8Array.of(0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0, 0, 0, 0, 0)
  let left = 3
  s.a.command = () => {
    if (left-- <= 0) return { kind: 'run' }
    return left === 0 ? { kind: 'status', status: 2, sense } : { kind: 'status', status: 8 }
  }
  const it = await connect(s)
  expect(statusOf(await s.timeline.finish(it.write(0, bytesOf(512))))).toBe(0)
  expect(it.travels).toMatchObject({ busyRetries: 2, unitAttentions: 1, resent: 0 })
  s.a.command = () => ({ kind: 'status', status: 8 })
  const once = it.command({ cdb: testUnitReadyCdb(), once: true })
  expect(statusOf(await s.timeline.finish(once))).toBe(8)
  const always = it.command({ cdb: testUnitReadyCdb() })
  expect(statusOf(await s.timeline.finish(always))).toBe(8)
  expect(it.travels.busyRetries).toBe(9)
})

test('I1 a portal that accepts and says nothing fails its login in time, and leaves nothing behind', async () => {
  const s = await scene({ behaviour: { giveUpMs: 2500, loginLimitMs: 1000 } })
  s.a.login = () => ({ kind: 'silence' })
  await expect(connect(s)).rejects.toThrow('no login within 1000 ms')
  await s.timeline.run(s.timeline.nowMs + 5000)
  expect(s.a.open).toBe(0)
  expect(s.timeline.pending).toBe(0)
})

test('it runs unchanged on real sockets', async () => {
  const net = new SystemNet()
  const clock = new SystemClock()
  const target = new ScriptedTarget(clock)
  const listener = await target.listen(net, { kind: 'tcp', host: '127.0.0.1', port: 0 })
  const s = await scene({ net, clock, portal: listener.address })
  const it = await Initiator.connect(s.settings)
  const data = bytesOf(600_064)
  expect(statusOf(await it.write(5, data))).toBe(0)
  it.breakConnection()
  const into = new Uint8Array(data.length)
  expect(statusOf(await it.read(5, data.length / 512, into))).toBe(0)
  expect(into).toEqual(data)
  expect(it.travels.logins).toBe(2)
  await it.close()
  await listener.close()
})

test('R1 close logs out, fails what is unanswered, and leaves nothing behind', async () => {
  const s = await scene()
  s.a.command = () => ({ kind: 'hold' })
  const it = await connect(s)
  const write = it.write(0, bytesOf(512))
  await s.timeline.until(() => s.a.last.held.length === 1)
  const failed = expect(write).rejects.toThrow('closed')
  await s.timeline.finish(Promise.all([it.close(), it.close()]))
  await failed
  expect(s.a.last.loggedOut).toBe(true)
  await s.timeline.run(s.timeline.nowMs + 10_000)
  expect(s.a.open).toBe(0)
  expect(s.timeline.pending).toBe(0)
})

test('discovery lists the targets of a portal, in as many PDUs as it takes', async () => {
  const s = await scene()
  const { net, clock, initiatorName } = s.settings
  const { BufferPool } = await import('../base/buffer-pool.ts')
  const settings = {
    net,
    clock,
    initiatorName,
    isid: '00023d000001',
    buffers: new BufferPool(1 << 20),
    limitMs: 5000,
    portal: s.settings.portal,
  }
  expect(await s.timeline.finish(discover(settings))).toEqual([
    { name: 'iqn.2026-11.dev.evenkeel:test', addresses: ['b:3260,1'] },
  ])
  s.a.listing = Array.from({ length: 60 }, (_, i) => ({
    name: `iqn.2026-11.dev.evenkeel:${'v'.repeat(180)}${i}`,
    addresses: ['b:3260'],
  }))
  expect(await s.timeline.finish(discover(settings))).toHaveLength(60)
  await s.timeline.run(s.timeline.nowMs + 6000)
  expect(s.a.open).toBe(0)
  await expect(
    s.timeline.finish(discover({ ...settings, portal: { kind: 'tcp', host: 'a', port: 1 } })),
  ).rejects.toThrow('refused')
})

/** Random writes and reads on a few blocks while connections are lost and moved; the disk is linearizable by itself. */
async function ordeal(
  seed: number,
  ghost: boolean,
): Promise<{ violations: number; travels: Initiator['travels'] }> {
  const s = await scene({ behaviour: { queueDepth: 4 } }, seed)
  const prng = new Prng(seed)
  const it = await connect(s)
  const history = new History({ nowMs: () => s.timeline.nowMs, writer: 1, blockBytes: 512 })
  const run = () =>
    prng.chance(0.1) ? ({ kind: 'runUnanswered' } as const) : ({ kind: 'run' } as const)
  s.a.command = run
  s.b.command = run
  let busy = 0
  const worker = async () => {
    for (let i = 0; i < 60; i++) {
      const lba = prng.integer(0, 3)
      const data = new Uint8Array(512 * prng.integer(1, 2))
      if (prng.chance(0.6)) await it.write(lba, data, history.writing(lba, data))
      else await it.read(lba, data.length / 512, data, history.reading(lba, data))
    }
    busy--
  }
  for (; busy < 4; busy++) void worker()
  let stale: Uint8Array | null = null
  while (busy > 0) {
    await s.timeline.run(s.timeline.nowMs + prng.integer(5, 30))
    if (ghost && prng.chance(0.2)) {
      if (stale === null) stale = s.a.disk.slice(0, 512)
      else s.a.disk.set(stale, 0)
    }
    const where = it.address.startsWith('b') ? s.b : s.a
    if (it.phase !== 'serving') continue
    const other = where === s.a ? 'b' : 'a'
    s.a.login = () => (other === 'b' ? { kind: 'redirect', to: 'b:3260' } : { kind: 'admit' })
    if (prng.chance(0.5)) where.last.iscsi.asyncMessage(asyncEvent.sessionDrops, 0, 0, 0)
    where.last.flush()
    where.last.stream.end()
  }
  return { violations: judge([history]).length, travels: it.travels }
}

test('a history over moves and losses is linearizable, and a ghost write in it is found', async () => {
  let found = 0
  for (let seed = 1; seed <= 8; seed++) {
    const clean = await ordeal(seed, false)
    expect(clean.violations).toBe(0)
    expect(clean.travels.movesFollowed).toBeGreaterThan(0)
    expect(clean.travels.resent).toBeGreaterThan(0)
    if ((await ordeal(seed, true)).violations > 0) found++
  }
  expect(found).toBeGreaterThan(3)
})
