import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../base/protocol-error.ts'
import { initiatorSettings, KeyNegotiation, targetSettings } from './negotiate.ts'

/** What open-iscsi 2.1.8 offers. */
const openIscsi: [string, string, string | null][] = [
  ['HeaderDigest', 'None', 'None'],
  ['DataDigest', 'None', 'None'],
  ['DefaultTime2Wait', '2', '2'],
  ['DefaultTime2Retain', '0', '0'],
  ['IFMarker', 'No', 'No'],
  ['OFMarker', 'No', 'No'],
  ['ErrorRecoveryLevel', '0', '0'],
  ['InitialR2T', 'No', 'No'],
  ['ImmediateData', 'Yes', 'Yes'],
  ['MaxBurstLength', '16776192', '1048576'],
  ['FirstBurstLength', '262144', '262144'],
  ['MaxOutstandingR2T', '1', '1'],
  ['MaxConnections', '1', '1'],
  ['DataPDUInOrder', 'Yes', 'Yes'],
  ['DataSequenceInOrder', 'Yes', 'Yes'],
  ['MaxRecvDataSegmentLength', '262144', null],
]

/** The other results that the table must give. */
const others: [string, string, string | null][] = [
  ['HeaderDigest', 'CRC32C,None', 'CRC32C'],
  ['DataDigest', 'None,CRC32C', 'None'],
  ['DataDigest', 'CRC32C-64,CRC32C,None', 'CRC32C'],
  ['HeaderDigest', 'CRC32C', 'CRC32C'],
  ['DataDigest', 'CRC32C-64', 'Reject'],
  ['MaxConnections', '8', '1'],
  ['MaxConnections', '0', 'Reject'],
  ['MaxConnections', 'many', 'Reject'],
  ['InitialR2T', 'Yes', 'Yes'],
  ['InitialR2T', 'maybe', 'Reject'],
  ['ImmediateData', 'No', 'No'],
  ['MaxBurstLength', '511', 'Reject'],
  ['MaxBurstLength', '16777216', 'Reject'],
  ['MaxBurstLength', '0x10000', '65536'],
  ['FirstBurstLength', '16776192', '262144'],
  ['MaxOutstandingR2T', '16', '1'],
  ['DataPDUInOrder', 'No', 'Yes'],
  ['ErrorRecoveryLevel', '2', '0'],
  ['DefaultTime2Retain', '20', '0'],
  ['IFMarkInt', '2048~4096', 'Reject'],
  ['OFMarker', 'Yes', 'No'],
  ['TaskReporting', 'FastAbort,ResponseFence,RFC3720', 'RFC3720'],
  ['TaskReporting', 'FastAbort', 'Reject'],
  ['iSCSIProtocolLevel', '2', '1'],
  ['InitiatorAlias', 'host', null],
  ['X-com.example.Key', '1', 'NotUnderstood'],
  ['Unheard', '1', 'NotUnderstood'],
]

describe('KeyNegotiation', () => {
  it.each([...openIscsi, ...others])('K2 answers %s=%s with %s', (key, value, answer) => {
    expect(new KeyNegotiation(targetSettings).receive({ key, value })).toBe(answer)
  })

  it('K3 remembers nothing of keys that it does not know', () => {
    const negotiation = new KeyNegotiation(targetSettings)
    for (const value of ['1', '2', '1']) {
      expect(negotiation.receive({ key: 'X-com.example.Key', value })).toBe('NotUnderstood')
    }
  })

  it('gives what open-iscsi and we agree on', () => {
    const target = new KeyNegotiation(targetSettings)
    target.declare()
    for (const [key, value] of openIscsi) target.receive({ key, value })
    expect(target.result()).toEqual({
      headerDigest: false,
      dataDigest: false,
      maxRecvDataSegmentLength: 262_144,
      maxSendDataSegmentLength: 262_144,
      maxBurstLength: 1_048_576,
      firstBurstLength: 262_144,
      initialR2T: false,
      immediateData: true,
      maxOutstandingR2T: 1,
      dataPduInOrder: true,
      dataSequenceInOrder: true,
      defaultTime2Wait: 2,
      defaultTime2Retain: 0,
      maxConnections: 1,
      errorRecoveryLevel: 0,
      protocolLevel: 1,
    })
  })

  it('holds the defaults of §13 for what nobody offered', () => {
    expect(new KeyNegotiation(targetSettings).result()).toMatchObject({
      initialR2T: true,
      immediateData: true,
      maxRecvDataSegmentLength: 8192,
      maxSendDataSegmentLength: 8192,
      maxBurstLength: 262_144,
      firstBurstLength: 65_536,
    })
  })

  it('K2 keeps FirstBurstLength within MaxBurstLength', () => {
    const target = new KeyNegotiation(targetSettings)
    target.receive({ key: 'MaxBurstLength', value: '4096' })
    expect(target.result().firstBurstLength).toBe(4096)
  })

  it('K3 settles a key once; the same again is answered the same (libiscsi repeats itself)', () => {
    const target = new KeyNegotiation(targetSettings)
    expect(target.receive({ key: 'MaxBurstLength', value: '65536' })).toBe('65536')
    expect(target.receive({ key: 'MaxBurstLength', value: '65536' })).toBe('65536')
    expect(() => target.receive({ key: 'MaxBurstLength', value: '4096' })).toThrow(ProtocolError)
  })

  it('refuses a segment length that cannot be one', () => {
    const target = new KeyNegotiation(targetSettings)
    expect(() => target.receive({ key: 'MaxRecvDataSegmentLength', value: '0' })).toThrow(
      ProtocolError,
    )
  })

  it.each([
    ['MaxBurstLength', '16776192'],
    ['InitialR2T', 'perhaps'],
    ['HeaderDigest', 'MD5'],
    ['DefaultTime2Wait', '-1'],
    ['ErrorRecoveryLevel', '1'],
  ])('K2 an initiator refuses %s=%s as answer to its offer', (key, value) => {
    const initiator = new KeyNegotiation(initiatorSettings)
    initiator.offer('normal')
    expect(() => initiator.receive({ key, value })).toThrow(ProtocolError)
  })

  it('K2 an initiator that insists on CRC32C does not go on without', () => {
    const initiator = new KeyNegotiation({ ...initiatorSettings, headerDigest: ['CRC32C'] })
    initiator.offer('normal')
    expect(() => initiator.receive({ key: 'HeaderDigest', value: 'Reject' })).toThrow(ProtocolError)
  })

  it('K1 both sides come to the same result, whatever each would like', () => {
    const length = fc.integer({ min: 512, max: 0xffffff })
    const digests = fc.constantFrom(['None'], ['CRC32C'], ['None', 'CRC32C'], ['CRC32C', 'None'])
    const settings = fc.record({
      headerDigest: digests,
      dataDigest: digests,
      maxRecvDataSegmentLength: length,
      maxBurstLength: length,
      firstBurstLength: length,
      initialR2T: fc.boolean(),
      immediateData: fc.boolean(),
      maxOutstandingR2T: fc.integer({ min: 1, max: 65_535 }),
      dataPduInOrder: fc.boolean(),
      dataSequenceInOrder: fc.boolean(),
      defaultTime2Wait: fc.integer({ min: 0, max: 3600 }),
      defaultTime2Retain: fc.integer({ min: 0, max: 3600 }),
      maxConnections: fc.integer({ min: 1, max: 65_535 }),
      errorRecoveryLevel: fc.integer({ min: 0, max: 2 }),
      protocolLevel: fc.constant(1),
    })
    fc.assert(
      fc.property(settings, settings, (left, right) => {
        const initiator = new KeyNegotiation(left as typeof initiatorSettings)
        const target = new KeyNegotiation(right as typeof targetSettings)
        const answers = initiator.offer('normal').flatMap((pair) => {
          const value = target.receive(pair)
          return value === null ? [] : [{ key: pair.key, value }]
        })
        fc.pre(!answers.some(({ value }) => value === 'Reject'))
        for (const pair of [...answers, target.declare()])
          expect(initiator.receive(pair)).toBeNull()
        const ours = target.result()
        expect(initiator.result()).toEqual({
          ...ours,
          maxRecvDataSegmentLength: ours.maxSendDataSegmentLength,
          maxSendDataSegmentLength: ours.maxRecvDataSegmentLength,
        })
        expect(ours.firstBurstLength).toBeLessThanOrEqual(ours.maxBurstLength)
      }),
    )
  })
})
