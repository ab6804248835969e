import { describe, expect, it } from 'vitest'
import { logoutResponse, opcode, rejectReason } from './pdu.ts'
import { commandBytes, pduBytes, tagsIn, tasksIn, Wire } from './wire.fixture.ts'

function read(tag: number, cmdSn: number): Uint8Array {
  return commandBytes({ tag, cmdSn, direction: 'read', bytes: 4096 })
}

function logout(tag: number, cmdSn: number, reason = 0, cid = 0): Uint8Array {
  const fields = { 16: tag, 20: cid << 16, 24: cmdSn }
  return pduBytes(opcode.logoutRequest | 0x40, 0x80 | reason, fields)
}

describe('a Logout', () => {
  it('S2 is the last that is taken, and no data is expected after it (§11.14)', () => {
    const wire = new Wire()
    const writes = [1, 2].map((tag) =>
      commandBytes({ tag, cmdSn: 99 + tag, direction: 'write', bytes: 4096 }),
    )
    const [collecting, working] = tasksIn(wire.send(...writes))
    wire.session.solicit(collecting!, 4096)
    const [action] = wire.send(logout(9, 102), read(3, 102))
    if (action?.kind !== 'logout') throw new Error('a logout comes out')
    expect([collecting!.state, working!.state, wire.session.outstanding]).toEqual([
      'free',
      'delivered',
      1,
    ])
    wire.session.solicit(working!, 4096)
    expect(working!.state).toBe('free')
    wire.session.respondToLogout(action.request)
    expect(wire.seen().map((pdu) => pdu.opcode)).toEqual([opcode.r2t, opcode.logoutResponse])
  })

  it.each([
    ['to close the session, whatever its CID', 0, 3, logoutResponse.closed],
    ['to close its connection', 1, 0, logoutResponse.closed],
    ['to close a connection that it does not have', 1, 3, logoutResponse.cidNotFound],
    ['for recovery, which level 0 does not have', 2, 0, logoutResponse.recoveryNotSupported],
  ])('ends its session only if it closes it: %s (§11.15.1)', (_, reason, cid, response) => {
    const wire = new Wire()
    const [action] = wire.send(logout(9, 100, reason, cid))
    if (action?.kind !== 'logout') throw new Error('a logout comes out')
    const closed = response === logoutResponse.closed
    expect(wire.session.respondToLogout(action.request)).toBe(closed)
    const [answer] = wire.seen()
    expect([answer!.opcode, answer!.header[2]]).toEqual([opcode.logoutResponse, response])
    expect(tagsIn(wire.send(read(3, 100)))).toEqual(closed ? [] : [3])
  })

  it('for no reason that there is, is rejected', () => {
    const wire = new Wire()
    expect(wire.send(logout(9, 100, 3))).toEqual([])
    expect(wire.seen().map(({ header }) => [header[0], header[2]])).toEqual([
      [opcode.reject, rejectReason.invalidPduField],
    ])
    expect(tagsIn(wire.send(read(3, 100)))).toEqual([3])
  })
})
