import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BufferPool } from '../base/buffer-pool.ts'
import { readU16, readU32 } from '../base/bytes.ts'
import { decodeText, encodeText } from '../base/text.ts'
import { InitiatorLogin, type InitiatorLoginStep } from './initiator-login.ts'
import { LoginNegotiation, type LoginStep } from './login-negotiation.ts'
import { initiatorSettings, targetSettings } from './negotiate.ts'
import { Outbox } from './outbox.ts'
import { loginStatus, opcode } from './pdu.ts'
import { framerFor, parameters, pduBytes, pdusIn, type SeenPdu, takeBytes } from './wire.fixture.ts'

const settings = { targetPortalGroupTag: 1, keys: targetSettings }
const names = 'InitiatorName=iqn.2026-11.dev:i\0TargetName=iqn.2026-11.dev:t\0'
const normal = `${names}SessionType=Normal\0`

/** libiscsi without a user: operational stage to full feature phase, in one request (0x87). */
const libiscsiKeys = `${normal}HeaderDigest=None,CRC32C\0DataDigest=None\0InitialR2T=No\0ImmediateData=Yes\0MaxBurstLength=262144\0FirstBurstLength=262144\0MaxRecvDataSegmentLength=262144\0DataPDUInOrder=Yes\0DefaultTime2Wait=2\0`

interface RequestShape {
  readonly flags: number
  readonly text: string
  readonly tag?: number
  readonly cmdSn?: number
  readonly version?: number
  readonly isid?: number
  readonly tsihCid?: [number, number]
}

function request(shape: RequestShape): Uint8Array {
  const [tsih, cid] = shape.tsihCid ?? [0, 0]
  const fields = {
    8: shape.isid ?? 0x80112233,
    12: tsih,
    16: shape.tag ?? 5,
    20: cid << 16,
    24: shape.cmdSn ?? 77,
    28: 0xdeadbeef,
  }
  const bytes = pduBytes(opcode.loginRequest | 0x40, shape.flags, fields, encodeText(shape.text))
  bytes[3] = shape.version ?? 0
  return bytes
}

class Target {
  readonly outbox = new Outbox(new BufferPool(1 << 22))
  readonly login = new LoginNegotiation(settings, this.outbox)
  readonly #framer = framerFor(parameters)

  take(bytes: Uint8Array): LoginStep {
    this.#framer.push(bytes)
    const pdu = this.#framer.next()
    if (pdu === null) throw new Error('a request is one PDU')
    const step = this.login.receive(pdu)
    expect(this.#framer.next()).toBeNull()
    bytes.fill(0xee)
    return step
  }

  response(): SeenPdu {
    const pdus = pdusIn(takeBytes(this.outbox))
    expect(pdus.length).toBe(1)
    return pdus[0]!
  }

  isQuiet(): boolean {
    return this.outbox.waitingBytes === 0
  }
}

function keysOf(pdu: SeenPdu): Record<string, string> {
  const pairs = decodeText(pdu.data)
    .split('\0')
    .filter((pair) => pair !== '')
  return Object.fromEntries(pairs.map((pair) => pair.split('=', 2) as [string, string]))
}

function statusOf(pdu: SeenPdu): number {
  return readU16(pdu.header, 36)
}

describe('LoginNegotiation', () => {
  it("G2 libiscsi's login: one exchange (0x87)", () => {
    const target = new Target()
    expect(target.take(request({ flags: 0x87, text: libiscsiKeys }))).toEqual({
      kind: 'ask',
      request: {
        initiatorName: 'iqn.2026-11.dev:i',
        targetName: 'iqn.2026-11.dev:t',
        sessionType: 'normal',
        isid: '801122330000',
        tsih: 0,
        cid: 0,
        cmdSn: 77,
      },
    })
    expect(target.isQuiet()).toBe(true)
    const ready = target.login.admit()
    expect(ready.kind).toBe('ready')
    expect(target.isQuiet()).toBe(true)
    target.login.respond(9)
    const { header, flags, ...rest } = target.response()
    expect(flags).toBe(0x87)
    expect(readU16(header, 14)).toBe(9)
    expect([readU32(header, 16), readU32(header, 24)]).toEqual([5, 1])
    expect([readU32(header, 28), readU32(header, 32)]).toEqual([77, 84])
    expect(readU16(header, 36)).toBe(0)
    expect(keysOf({ header, flags, ...rest })).toEqual({
      TargetPortalGroupTag: '1',
      HeaderDigest: 'None',
      DataDigest: 'None',
      InitialR2T: 'No',
      ImmediateData: 'Yes',
      MaxBurstLength: '262144',
      FirstBurstLength: '262144',
      DataPDUInOrder: 'Yes',
      DefaultTime2Wait: '2',
      MaxRecvDataSegmentLength: '262144',
    })
    expect([target.login.expCmdSn, target.login.statSn]).toEqual([77, 2])
  })

  it("G1 open-iscsi's login: security stage, then operational", () => {
    const target = new Target()
    const first = `${normal}AuthMethod=CHAP,None\0InitiatorAlias=h\0`
    expect(target.take(request({ flags: 0x81, text: first })).kind).toBe('ask')
    expect(target.login.admit()).toEqual({ kind: 'respond' })
    target.login.respond(0)
    const security = target.response()
    expect(security.flags).toBe(0x81)
    expect(keysOf(security)).toEqual({ TargetPortalGroupTag: '1', AuthMethod: 'None' })
    expect(readU16(security.header, 14)).toBe(0)
    const second = 'HeaderDigest=None\0MaxBurstLength=16776192\0IFMarker=No\0'
    expect(target.take(request({ flags: 0x87, text: second })).kind).toBe('ready')
    target.login.respond(3)
    const last = target.response()
    expect(last.flags).toBe(0x87)
    expect(readU32(last.header, 24)).toBe(2)
    expect(keysOf(last)).toEqual({
      HeaderDigest: 'None',
      MaxBurstLength: '1048576',
      IFMarker: 'No',
      MaxRecvDataSegmentLength: '262144',
    })
  })

  it('redirects in the first response, without a portal group tag (§13.8, §11.13.5)', () => {
    const target = new Target()
    target.take(request({ flags: 0x81, text: `${normal}AuthMethod=None\0` }))
    target.login.redirect('10.0.0.2:3260')
    const response = target.response()
    expect([response.flags, statusOf(response)]).toEqual([0, 0x0101])
    expect(keysOf(response)).toEqual({ TargetAddress: '10.0.0.2:3260' })
    expect(readU32(response.header, 8)).toBe(0x80112233)
    expect(readU32(response.header, 16)).toBe(5)
  })

  it('takes a discovery login, without a target', () => {
    const target = new Target()
    const text = 'InitiatorName=iqn.2026-11.dev:i\0SessionType=Discovery\0HeaderDigest=None\0'
    expect(target.take(request({ flags: 0x87, text }))).toMatchObject({
      kind: 'ask',
      request: { sessionType: 'discovery', targetName: null },
    })
    expect(target.login.admit().kind).toBe('ready')
    target.login.respond(1)
    expect(keysOf(target.response())).toEqual({
      HeaderDigest: 'None',
      MaxRecvDataSegmentLength: '262144',
    })
  })

  it('G2 asks once the text is whole: C bit (§6.2)', () => {
    const target = new Target()
    const half = normal.slice(0, 40)
    expect(target.take(request({ flags: 0x44, text: half }))).toEqual({ kind: 'more' })
    target.login.respond(0)
    const empty = target.response()
    expect([empty.flags, empty.data.length, readU32(empty.header, 24)]).toEqual([0x04, 0, 1])
    const step = target.take(request({ flags: 0x87, text: normal.slice(40) }))
    expect(step.kind).toBe('ask')
    expect(target.login.admit().kind).toBe('ready')
  })

  it('goes on in the operational stage as long as the initiator wants', () => {
    const target = new Target()
    target.take(request({ flags: 0x04, text: normal }))
    target.login.admit()
    target.login.respond(0)
    expect(target.response().flags).toBe(0x04)
    target.take(request({ flags: 0x04, text: 'MaxBurstLength=65536\0' }))
    target.login.respond(0)
    expect(keysOf(target.response())).toEqual({ MaxBurstLength: '65536' })
    expect(target.take(request({ flags: 0x87, text: '' }))).toMatchObject({
      kind: 'ready',
      parameters: { maxBurstLength: 65_536 },
    })
  })

  it('G3 refuses an initiator that does not wait to be admitted', () => {
    const target = new Target()
    expect(target.take(request({ flags: 0x81, text: normal })).kind).toBe('ask')
    const step = target.take(request({ flags: 0x87, text: libiscsiKeys }))
    expect(step).toMatchObject({ kind: 'reject', status: 0x0200 })
    expect(() => target.login.admit()).toThrow(/G2/)
    target.login.respond(1)
    expect(statusOf(target.response())).toBe(0x0200)
  })

  it('lets the target refuse, also after it has admitted', () => {
    const target = new Target()
    target.take(request({ flags: 0x87, text: normal }))
    target.login.reject(loginStatus.notFound)
    expect(statusOf(target.response())).toBe(0x0203)
    const later = new Target()
    later.take(request({ flags: 0x87, text: normal }))
    later.login.admit()
    later.login.reject(loginStatus.serviceUnavailable)
    expect(statusOf(later.response())).toBe(0x0301)
  })

  const refusals: [string, Partial<RequestShape>, number][] = [
    ['no InitiatorName', { text: 'TargetName=iqn.2026-11.dev:t\0' }, 0x0207],
    ['a name that is none', { text: 'InitiatorName=me\0TargetName=iqn.2026-11.dev:t\0' }, 0x0200],
    ['no TargetName', { text: 'InitiatorName=iqn.2026-11.dev:i\0' }, 0x0207],
    ['another session type', { text: `${names}SessionType=Odd\0` }, 0x0209],
    ['a later version', { version: 1 }, 0x0205],
    ['C with T', { flags: 0xc7 }, 0x0200],
    ['stage 2', { flags: 0x8b }, 0x0200],
    ['full feature phase at once', { flags: 0x0c }, 0x0200],
    ['a step backwards', { flags: 0x84 }, 0x0200],
    ['a step to stage 2', { flags: 0x86 }, 0x0200],
    ['malformed text', { text: 'nonsense\0' }, 0x0200],
  ]
  it.each(refusals)('G4 refuses %s', (_, shape, status) => {
    const target = new Target()
    const step = target.take(request({ flags: 0x87, text: normal, ...shape }))
    expect(step).toMatchObject({ kind: 'reject', status })
    target.login.respond(0)
    expect(statusOf(target.response())).toBe(status)
  })

  it('G4 refuses a method of authentication that it does not have (§11.13.5: 0201)', () => {
    const target = new Target()
    target.take(request({ flags: 0x81, text: `${normal}AuthMethod=CHAP\0` }))
    expect(target.login.admit()).toMatchObject({ kind: 'reject', status: 0x0201 })
  })

  const changes: [string, RequestShape][] = [
    ['another tag', { flags: 0x87, text: '', tag: 6 }],
    ['another ISID', { flags: 0x87, text: '', isid: 1 }],
    ['another CID', { flags: 0x87, text: '', tsihCid: [0, 1] }],
    ['another TSIH', { flags: 0x87, text: '', tsihCid: [1, 0] }],
    ['the stage before', { flags: 0x81, text: '' }],
    ['another initiator', { flags: 0x87, text: 'InitiatorName=iqn.2026-11.dev:j\0' }],
    ['another target', { flags: 0x87, text: 'TargetName=iqn.2026-11.dev:u\0' }],
  ]
  it.each(changes)('G4 refuses a second request with %s', (_, second) => {
    const target = new Target()
    target.take(request({ flags: 0x81, text: normal }))
    target.login.admit()
    target.login.respond(0)
    target.response()
    expect(target.take(request(second))).toMatchObject({ kind: 'reject', status: 0x0200 })
  })

  it('takes the names again in the next stage, as libiscsi sends them', () => {
    const target = new Target()
    target.take(request({ flags: 0x81, text: normal }))
    target.login.admit()
    target.login.respond(0)
    target.response()
    expect(target.take(request({ flags: 0x87, text: libiscsiKeys })).kind).toBe('ready')
  })

  it('G4 refuses a command before the login is over (020b), and endless logins', () => {
    const target = new Target()
    const command = pduBytes(opcode.scsiCommand, 0x80, { 16: 8 })
    expect(target.take(command)).toMatchObject({ kind: 'reject', status: 0x020b })
    target.login.respond(0)
    expect(readU32(target.response().header, 16)).toBe(8)
    const slow = new Target()
    let step: LoginStep = { kind: 'more' }
    for (let i = 0; i < 64; i += 1) {
      step = slow.take(request({ flags: 0x44, text: '' }))
      expect(step.kind).toBe('more')
      slow.login.respond(0)
      slow.response()
    }
    expect(slow.take(request({ flags: 0x44, text: '' })).kind).toBe('reject')
  })

  it('G4 any bytes in a Login Request end in a step', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(47), fc.nat(255)), { maxLength: 6 }),
        fc.array(fc.tuple(fc.nat(normal.length - 1), fc.nat(255)), { maxLength: 3 }),
        fc.constantFrom(0x87, 0x81, 0x44, 0x04),
        (headerChanges, textChanges, flags) => {
          const target = new Target()
          const bytes = request({ flags, text: normal })
          for (const [at, byte] of textChanges) bytes[48 + at] = byte
          // The length stays: how the stream is cut is the framer's affair.
          for (const [at, byte] of headerChanges) if (at > 7 || (at > 0 && at < 4)) bytes[at] = byte
          const step = target.take(bytes)
          const settled = step.kind === 'ask' ? target.login.admit() : step
          target.login.respond(1)
          expect(['more', 'respond', 'ready', 'reject']).toContain(settled.kind)
          expect(target.response().opcode).toBe(opcode.loginResponse)
        },
      ),
      { numRuns: 300 },
    )
  })
})

class Initiator {
  readonly outbox = new Outbox(new BufferPool(1 << 22))
  readonly login: InitiatorLogin
  readonly #framer = framerFor(parameters)

  constructor(securityStage: boolean, targetName: string | null = 'iqn.2026-11.dev:t') {
    this.login = new InitiatorLogin(
      {
        initiatorName: 'iqn.2026-11.dev:i',
        targetName,
        isid: '00023d000001',
        cmdSn: 500,
        cid: 0,
        securityStage,
        keys: { ...initiatorSettings, headerDigest: ['CRC32C'] },
      },
      this.outbox,
    )
    this.login.start()
  }

  take(bytes: Uint8Array): InitiatorLoginStep {
    this.#framer.push(bytes)
    const pdu = this.#framer.next()
    if (pdu === null) throw new Error('a response is one PDU')
    return this.login.receive(pdu)
  }
}

function converse(initiator: Initiator): InitiatorLoginStep {
  const target = new Target()
  for (let turn = 0; turn < 10; turn += 1) {
    const step = target.take(takeBytes(initiator.outbox))
    const settled = step.kind === 'ask' ? target.login.admit() : step
    target.login.respond(settled.kind === 'ready' ? 42 : 0)
    const answered = initiator.take(takeBytes(target.outbox))
    if (answered.kind !== 'asked') return answered
  }
  throw new Error('a login without end')
}

describe('InitiatorLogin', () => {
  it.each([false, true])('L2 logs in to our target, security stage %s', (securityStage) => {
    const end = converse(new Initiator(securityStage))
    expect(end).toMatchObject({
      kind: 'ready',
      session: {
        tsih: 42,
        cmdSn: 500,
        maxCmdSn: 507,
        expStatSn: securityStage ? 3 : 2,
        targetPortalGroupTag: 1,
        parameters: { headerDigest: true, dataDigest: false, initialR2T: false },
      },
    })
  })

  it('logs in for discovery', () => {
    expect(converse(new Initiator(false, null)).kind).toBe('ready')
  })

  it('reports a redirection and a refusal', () => {
    const target = new Target()
    const initiator = new Initiator(false)
    target.take(takeBytes(initiator.outbox))
    target.login.redirect('[fe80::2]:3260')
    expect(initiator.take(takeBytes(target.outbox))).toEqual({
      kind: 'redirected',
      address: '[fe80::2]:3260',
      permanently: false,
    })
    const refusing = new Target()
    const refused = new Initiator(true)
    refusing.take(takeBytes(refused.outbox))
    refusing.login.reject(loginStatus.serviceUnavailable)
    expect(refused.take(takeBytes(refusing.outbox))).toEqual({ kind: 'rejected', status: 0x0301 })
  })

  it('L1 L2 refuses what no target may send', () => {
    const wrong: [number, Record<number, number>, string][] = [
      [opcode.scsiResponse, {}, ''],
      [opcode.loginResponse, { 16: 1 }, ''],
      [opcode.loginResponse, {}, 'MaxBurstLength=16776192\0'],
      [opcode.loginResponse, { 12: 0 }, ''],
    ]
    for (const [code, fields, text] of wrong) {
      const bytes = pduBytes(code, 0x87, { 12: 7, ...fields }, encodeText(text))
      expect(() => new Initiator(false).take(bytes)).toThrow()
    }
    const insecure = pduBytes(opcode.loginResponse, 0x81, {}, encodeText('AuthMethod=CHAP\0'))
    expect(() => new Initiator(true).take(insecure)).toThrow(/AuthMethod/)
  })
})
