import { expect, test } from 'vitest'
import { testUnitReadyCdb } from './cdb.ts'
import { CommandQueue } from './command-queue.ts'
import { PendingCommand } from './pending-command.ts'

function filled(count: number) {
  const queue = new CommandQueue()
  const commands = Array.from({ length: count }, () => {
    const command = new PendingCommand({ cdb: testUnitReadyCdb() }, queue.nextNumber())
    queue.add(command)
    return command
  })
  return { queue, commands }
}

function take(queue: CommandQueue, count = Number.POSITIVE_INFINITY): PendingCommand[] {
  const taken: PendingCommand[] = []
  for (let i = 0; i < count; i++) {
    const command = queue.takeNext()
    if (command === null) break
    command.state = 'sent'
    taken.push(command)
  }
  return taken
}

test('Q1 each is taken once, in order, however many there are', () => {
  const { queue, commands } = filled(1000)
  expect(take(queue)).toEqual(commands)
  expect(queue.takeNext()).toBeNull()
  expect(queue.size).toBe(1000)
})

test('Q1 what was aborted while it waited is not taken', () => {
  const { queue, commands } = filled(3)
  const [, second] = commands
  if (second === undefined) throw new Error('three')
  queue.finish(second)
  second.settle({ kind: 'aborted' })
  expect(take(queue)).toEqual([commands[0], commands[2]])
})

test('Q1 commands of a lost connection come first, in their old order', () => {
  const { queue, commands } = filled(8)
  const lost = take(queue, 4)
  queue.again([...lost].reverse())
  expect(take(queue)).toEqual(commands)
})

test('Q1 only what waits is queued once more', () => {
  const { queue } = filled(1)
  const [command] = take(queue)
  if (command === undefined) throw new Error('one')
  expect(() => queue.later(command)).toThrow('Q1')
})
