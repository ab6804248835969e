import { expect, it } from 'vitest'
import { volumeId } from '../base/ids.ts'
import { loginStatus } from '../iscsi/pdu.ts'
import type { LiveSession } from './live-session.ts'
import { SessionHandles } from './session-handles.ts'

const who = { initiator: 'iqn.t:x', isid: '00023d000001', volume: volumeId(3) }
const session = { record: who } as unknown as LiveSession

it('H1 no living session’s TSIH is given again, and none is 0', () => {
  const handles = new SessionHandles()
  const kept = handles.next()
  handles.began(kept, session, 7)
  const given = Array.from({ length: 0x10000 }, () => handles.next())
  expect(given).not.toContain(kept)
  expect(given).not.toContain(0)
  handles.ended(session)
  const again = Array.from({ length: 0x10000 }, () => handles.next())
  expect(again).toContain(kept)
})

it('H2 a login with a TSIH hears whether that is its session, and that it has a connection', () => {
  const handles = new SessionHandles()
  const tsih = handles.next()
  handles.began(tsih, session, 7)
  const status = (named: object) => handles.refusal({ tsih, cid: 7, ...who, ...named }).status
  expect(status({})).toBe(loginStatus.cannotIncludeInSession)
  expect(status({ cid: 8 })).toBe(loginStatus.tooManyConnections)
  for (const other of [
    { tsih: tsih + 1 },
    { initiator: 'iqn.t:y' },
    { isid: '0' },
    { volume: volumeId(4) },
  ]) {
    expect(status(other)).toBe(loginStatus.sessionDoesNotExist)
  }
  handles.ended(session)
  expect(status({})).toBe(loginStatus.sessionDoesNotExist)
})
