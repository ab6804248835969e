import { describe, expect, it } from 'vitest'
import { bench, filled, manage, read10, write10 } from './task.fixture.ts'

describe('task management', () => {
  it('U1 ABORT TASK is answered at once for a task that waits for data, which is never answered', () => {
    const { start, runner, session, gateway, counters } = bench()
    const task = start(write10(0, 2), 'out', 1024)
    runner.manage(manage(1, task.initiatorTaskTag))
    expect(session.managed).toEqual([[0x99, 0]])
    expect(session.answers).toEqual([])
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
    expect(session.answers).toEqual([])
    expect(session.released).toEqual([1])
    expect(told.answered).toBe(1)
    expect(counters.outstanding).toBe(0)
  })

  it.each([2, 4, 5, 6])(
    'U2 function %i ends everything that came before it, and nothing that came after',
    async (fn) => {
      const { start, runner, session, gateway, command } = bench()
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
      expect(session.answers.map(({ tag }) => tag)).toEqual([4])
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

  it('a reset puts the mode pages back', () => {
    const { runner } = bench()
    runner.nexus.softwareWriteProtect = true
    runner.manage(manage(5))
    expect(runner.nexus.softwareWriteProtect).toBe(false)
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
