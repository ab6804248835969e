import { describe, expect, it } from 'vitest'
import { bench, code, filled, manage, read10, write10 } from './task-runner.fixture.ts'

describe('task management', () => {
  it('U1 ABORT TASK is answered at once for a task that waits for data, which is never answered', () => {
    const { start, runner, session, gateway, counters } = bench()
    const task = start(write10(0, 2), 'out', 1024)
    runner.manage(manage(1, task.initiatorTaskTag))
    expect(session.managed).toEqual([[0x99, 0]])
    expect(session.responses).toEqual([])
    expect(gateway.calls).toBe(0)
    expect(counters.outstanding).toBe(0)
  })

  it('U1 ABORT TASK waits for what the gateway has; the task is released unanswered', async () => {
    const { start, runner, session, gateway, told, counters } = bench()
    gateway.holding = true
    const task = start(write10(0, 1), 'out', 512, filled(512, 1))
    runner.manage(manage(1, task.initiatorTaskTag))
    expect(session.managed).toEqual([])
    expect(counters.outstanding).toBe(1)
    await gateway.settle()
    expect(session.managed).toEqual([[0x99, 0]])
    expect(session.responses).toEqual([])
    expect(session.released).toEqual([1])
    expect(told.wrote).toBe(1)
    expect(counters.outstanding).toBe(0)
  })

  it.each([1, 2, 4, 5, 6])(
    'U1 function %i waits for what an earlier ABORT TASK has ended and the gateway has',
    async (fn) => {
      const { start, runner, session, gateway, told, others } = bench()
      others.resolve(true)
      gateway.holding = true
      const { initiatorTaskTag } = start(write10(0, 1), 'out', 512, filled(512, 1))
      runner.manage(manage(1, initiatorTaskTag))
      runner.manage({ ...manage(fn, initiatorTaskTag), initiatorTaskTag: 0x9a })
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve()
      expect(session.managed).toEqual([])
      await gateway.settle()
      expect(session.managed).toEqual([
        [0x99, 0],
        [0x9a, 0],
      ])
      expect([session.responses, session.released, told.wrote > 0]).toEqual([[], [1], true])
    },
  )

  it.each([2, 4, 5, 6])(
    'U2 function %i ends everything that came before it, and nothing that came after',
    async (fn) => {
      const { start, runner, session, gateway, command, others } = bench()
      others.resolve(true)
      start(write10(0, 2), 'out', 1024)
      gateway.holding = true
      start(read10(0, 1), 'in', 512)
      const queued = command(read10(0, 1), 'in', 512)
      queued.state = 'queued'
      const later = command(read10(0, 1), 'in', 512)
      later.cmdSn = 1001
      runner.manage(manage(fn))
      await gateway.settle()
      expect(session.managed).toEqual([[0x99, 0]])
      runner.start(later)
      await gateway.settle()
      expect(session.responses.map(({ tag }) => tag)).toEqual([4])
    },
  )

  it('a command that was aborted before it was started is not executed', () => {
    const { command, runner, session, gateway } = bench()
    const task = command(write10(0, 1), 'out', 512, filled(512, 1))
    session.abort(task)
    runner.start(task)
    expect(gateway.calls).toBe(0)
    expect(session.released).toEqual([1])
  })

  it('U3 a reset puts the mode pages back, and is told by a unit attention to the nexus that sent it too', async () => {
    const { runner, gateway, others, start, last } = bench()
    runner.nexus.softwareWriteProtect = true
    runner.manage(manage(5))
    others.resolve(true)
    await gateway.settle()
    expect(runner.nexus.softwareWriteProtect).toBe(false)
    start(read10(0, 1), 'in', 512)
    expect(code(last())).toEqual([6, 0x29, 3])
    start(read10(0, 1), 'in', 512)
    expect(last()?.status).toBe(0)
  })

  it('U3 a reset that is rejected raises no unit attention', async () => {
    const { runner, gateway, others, start, last } = bench()
    runner.manage(manage(5))
    others.resolve(false)
    await gateway.settle()
    start(read10(0, 1), 'in', 512)
    expect(last()?.status).toBe(0)
  })

  it('U4 commands of a nexus whose reset is rejected go on; those of one that is complete have ended', async () => {
    for (const sure of [false, true]) {
      const { start, arrive, runner, session, gateway, others, counters } = bench()
      runner.nexus.descriptorSense = true
      const collecting = start(write10(0, 1), 'out', 512)
      gateway.holding = true
      start(read10(8, 1), 'in', 512)
      runner.manage(manage(5))
      others.resolve(sure)
      await Promise.resolve()
      await gateway.settle()
      gateway.holding = false
      expect(session.managed).toEqual([[0x99, sure ? 0 : 255]])
      expect(session.responses.map(({ tag }) => tag)).toEqual(sure ? [] : [2])
      expect(session.findTask(1)).toBe(sure ? null : collecting)
      if (!sure) arrive(collecting, filled(512, 1))
      expect(session.responses.map(({ tag }) => tag)).toEqual(sure ? [] : [2, 1])
      expect(counters.outstanding).toBe(0)
      expect(runner.nexus.descriptorSense).toBe(!sure)
    }
  })

  it('U4 a command that came after the reset, in the place of one before it, is not ended', async () => {
    const { start, runner, session, gateway, others, command } = bench()
    gateway.holding = true
    start(read10(0, 1), 'in', 512)
    runner.manage(manage(5))
    await gateway.settle()
    const later = command(read10(0, 1), 'in', 512)
    runner.start(later)
    others.resolve(true)
    await Promise.resolve()
    await gateway.settle()
    expect(session.responses.map(({ tag }) => tag)).toEqual([1, 2])
    expect(session.managed).toEqual([[0x99, 0]])
  })

  it('U3 a reset is answered when the other nexuses are done, and as rejected if that is not sure', async () => {
    for (const [sure, response] of [
      [true, 0],
      [false, 255],
    ] as const) {
      const { start, runner, session, gateway, told, others } = bench()
      gateway.holding = true
      start(write10(0, 1), 'out', 512, filled(512, 1))
      runner.manage(manage(5))
      await gateway.settle()
      expect([told.resets, session.managed.length]).toEqual([1, 0])
      const before = told.wrote
      others.resolve(sure)
      await gateway.settle()
      expect(session.managed).toEqual([[0x99, response]])
      expect(told.wrote).toBe(before + 1)
    }
  })

  it('U3 a reset is not answered when its session is over first', async () => {
    const { runner, session, gateway, others } = bench()
    runner.manage(manage(6))
    runner.stop()
    others.resolve(true)
    await gateway.settle()
    expect(session.managed).toEqual([])
  })

  it('U3 a reset of another nexus waits for what the gateway has, which is answered as it comes', async () => {
    const { start, runner, session, gateway } = bench()
    gateway.holding = true
    start(write10(0, 1), 'out', 512, filled(512, 1))
    const said: boolean[] = []
    void runner.resetByAnother().then((sure) => said.push(sure))
    gateway.holding = false
    start(read10(8, 1), 'in', 512)
    await Promise.resolve()
    expect(said).toEqual([])
    await gateway.settle()
    expect(said).toEqual([true])
    expect(session.responses.map(({ tag, status }) => [tag, status])).toEqual([
      [2, 2],
      [1, 0],
    ])
  })

  it('U3 what waits for data when another nexus resets is answered with the unit attention and not executed', async () => {
    const { start, arrive, runner, gateway, last, counters } = bench()
    const task = start(write10(0, 2), 'out', 1024)
    runner.nexus.descriptorSense = true
    expect(await runner.resetByAnother()).toBe(true)
    expect(runner.nexus.descriptorSense).toBe(false)
    arrive(task, filled(1024, 1))
    expect(last()).toMatchObject({ tag: 1, status: 2 })
    expect(code(last())).toEqual([6, 0x29, 3])
    expect([gateway.calls, counters.outstanding]).toEqual([0, 0])
    start(read10(0, 1), 'in', 512)
    expect(last()).toMatchObject({ tag: 2, status: 0 })
  })

  it('U3 a session that is over says nothing for its commands', async () => {
    const { start, runner, gateway } = bench()
    gateway.holding = true
    start(write10(0, 1), 'out', 512, filled(512, 1))
    const waiting = runner.resetByAnother()
    runner.stop()
    expect([await waiting, await runner.resetByAnother()]).toEqual([false, false])
  })

  it('answers what it does not do, what is not there and other LUNs', () => {
    const { runner, session } = bench()
    runner.manage(manage(1, 77))
    runner.manage(manage(8))
    runner.manage(manage(3))
    runner.manage(manage(7))
    runner.manage({ ...manage(2), lun: 1 })
    expect(session.managed.map(([, response]) => response)).toEqual([1, 4, 5, 5, 2])
  })
})
