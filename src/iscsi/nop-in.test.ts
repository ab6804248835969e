// NOP-Ins that ask an initiator for an answer, beside the data of its writes (data-out.ts, D5).
import { expect, test } from 'vitest'
import { readU32 } from '../base/bytes.ts'
import { nopInAt, opcode, r2tAt, taskManagementFunction } from './pdu.ts'
import type { Session } from './session.ts'
import type { Task } from './task.ts'
import { commandBytes, dataOutBytes, managementBytes, tasksIn, Wire } from './wire.fixture.ts'

/** Two writes that the target has not asked for their data yet. */
function twoWrites(): { wire: Wire; session: Session; first: Task; second: Task } {
  const wire = new Wire({ maxBurstLength: 500 })
  const [first, second] = tasksIn(
    wire.send(
      commandBytes({ tag: 1, cmdSn: 100, direction: 'write', bytes: 1000 }),
      commandBytes({ tag: 2, cmdSn: 101, direction: 'write', bytes: 500 }),
    ),
  )
  return { wire, session: wire.session, first: first!, second: second! }
}

function abortOfFirst(): Uint8Array {
  const { abortTask } = taskManagementFunction
  return managementBytes({ tag: 3, cmdSn: 102, function: abortTask, referencedTaskTag: 1 })
}

/** What was sent: R2Ts with the tag of their task, NOP-Ins with their own. */
function sent(wire: Wire): readonly (readonly [string, number])[] {
  return wire.seen().map(({ opcode: code, header }) => {
    if (code === opcode.r2t) return ['R2T', readU32(header, 16)]
    expect(code).toBe(opcode.nopIn)
    return ['NOP-In', readU32(header, nopInAt.targetTransferTag)]
  })
}

test('D5 a NOP-In that asks leaves when no R2T is open, and the next R2Ts behind it', () => {
  const { wire, session, first, second } = twoWrites()
  session.solicit(first, 1000)
  const [r2t] = wire.seen()
  const transferTag = readU32(r2t!.header, r2tAt.targetTransferTag)
  session.probe(7)
  session.probe(8)
  session.solicit(second, 500)
  expect(sent(wire)).toEqual([])
  const burst = { tag: 1, dataSn: 0, offset: 0, data: new Uint8Array(500), final: true }
  wire.send(dataOutBytes({ ...burst, transferTag }, wire.parameters))
  expect(sent(wire)).toEqual([
    ['NOP-In', 7],
    ['NOP-In', 8],
    ['R2T', 2],
    ['R2T', 1],
  ])
})

test('D5 a write that is aborted owes no data, and one that waits for a NOP-In is not asked', () => {
  const { wire, session, first, second } = twoWrites()
  session.solicit(first, 1000)
  session.probe(7)
  session.solicit(second, 500)
  session.abort(second)
  session.abort(first)
  expect(sent(wire)).toEqual([
    ['R2T', 1],
    ['NOP-In', 7],
  ])
  expect(session.outstanding).toBe(0)
})

test('D5 a NOP-In waits for the response to what aborted a write that owes data', () => {
  const { wire, session, first, second } = twoWrites()
  session.solicit(first, 1000)
  session.probe(7)
  session.solicit(second, 500)
  const [action] = wire.send(abortOfFirst())
  if (action?.kind !== 'taskManagement') throw new Error('a task management request is an action')
  session.abort(first)
  expect(sent(wire)).toEqual([['R2T', 1]])
  session.respondToTaskManagement(action.request, 0)
  const [response, ...after] = wire.seen()
  expect(response?.opcode).toBe(opcode.taskManagementResponse)
  expect(after.map((pdu) => pdu.opcode)).toEqual([opcode.nopIn, opcode.r2t])
})

test('D5 one that is held while others abort a write keeps no NOP-In back', () => {
  const { wire, session, first } = twoWrites()
  session.solicit(first, 1000)
  session.probe(7)
  session.hold()
  expect(wire.send(abortOfFirst())).toEqual([])
  session.abort(first)
  expect(sent(wire)).toEqual([
    ['R2T', 1],
    ['NOP-In', 7],
  ])
})
