// What no member should be sent: each gets a clear answer or a closed connection, every member goes on, nothing is lost.
// A port or a data folder in use: see up.test.ts.
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Problem } from '../../src/api/errors.ts'
import type { VolumeDetail } from '../../src/api/schema.ts'
import { Prng } from '../../src/base/prng.ts'
import { parseSense, readCdb, writeCdb } from '../../src/initiator/cdb.ts'
import type { Initiator } from '../../src/initiator/initiator.ts'
import { connectTo } from '../kit/connect.ts'
import { TestGroup } from '../kit/group.ts'
import { startGroupAnywhere } from './running-group.ts'

const MIB = 2 ** 20
const BHS = 48
const REJECT = 0x3f
const LOGIN_RESPONSE = 0x23
const NOP_IN = 0x20
const PATTERN = 0x5a
const ILLEGAL_REQUEST = { key: 5, asc: 0x21, ascq: 0 }

let group: TestGroup
let volume: VolumeDetail
/** A session at the member that is treated badly; nothing may happen to it. */
let bystander: Initiator
let pids: readonly (number | null)[]
const sockets: Socket[] = []

const pidsNow = async () => (await group.status('m2')).members.map(({ pid }) => pid)

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1')
  volume = await group.createVolume('bad-input', 64 * MIB)
  bystander = await connectTo(group, volume, { name: 'bystander', isid: '00023d0000aa' })
  const written = await bystander.write(0, new Uint8Array(32 * 512).fill(PATTERN))
  expect(written).toMatchObject({ kind: 'answered', status: 0 })
})
afterAll(async () => {
  await bystander.close()
  await group.stop()
})
beforeEach(async () => {
  pids = await pidsNow()
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  const bytes = new Uint8Array(32 * 512)
  expect(await bystander.read(0, 32, bytes)).toMatchObject({ kind: 'answered', status: 0 })
  expect(bytes.every((byte) => byte === PATTERN)).toBe(true)
  expect(bystander.travels).toMatchObject({ logins: 1, reconnects: 0 })
  expect(await pidsNow()).toEqual(pids)
})

/** A connection to the portal of m1 that sends what it is told, and keeps what comes. */
class RawConnection {
  readonly socket: Socket
  received = Buffer.alloc(0)
  closed = false

  static async open(): Promise<RawConnection> {
    const socket = connect({ host: '127.0.0.1', port: group.portOf('m1') })
    sockets.push(socket)
    await once(socket, 'connect')
    return new RawConnection(socket)
  }

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes) => {
      this.received = Buffer.concat([this.received, bytes])
    })
    // A reset closes it as well as an end does.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
  }

  send(...parts: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts))
  }

  /** The next PDU, taken off. */
  async pdu(): Promise<Buffer> {
    const length = () => {
      if (this.received.length < BHS) return Number.POSITIVE_INFINITY
      return BHS + Math.ceil(this.received.readUIntBE(5, 3) / 4) * 4
    }
    await expect.poll(() => this.received.length >= length()).toBe(true)
    const pdu = this.received.subarray(0, length())
    this.received = this.received.subarray(length())
    return pdu
  }

  async login(targetName: string): Promise<Buffer> {
    this.send(loginRequest(targetName))
    return this.pdu()
  }

  isClosed(): Promise<void> {
    return expect.poll(() => this.closed).toBe(true)
  }
}

function bhs(
  opcode: number,
  flags: number,
  dataBytes: number,
  more: (pdu: Buffer) => void,
): Buffer {
  const pdu = Buffer.alloc(BHS)
  pdu[0] = opcode
  pdu[1] = flags
  pdu.writeUIntBE(dataBytes, 5, 3)
  more(pdu)
  return pdu
}

/** RFC 7143 §11.12: one stage, to full feature; the first CmdSN is 100. */
function loginRequest(targetName: string): Buffer {
  const keys = `InitiatorName=iqn.2026-11.test.evenkeel:raw\0SessionType=Normal\0TargetName=${targetName}\0`
  const data = Buffer.alloc(Math.ceil(keys.length / 4) * 4)
  data.write(keys)
  const header = bhs(0x43, 0x87, keys.length, (pdu) => {
    pdu.set([0x80, ...Array.from({ length: 3 }, () => Math.floor(Math.random() * 256))], 8)
    pdu.writeUInt32BE(7, 16)
    pdu.writeUInt32BE(100, 24)
  })
  return Buffer.concat([header, data])
}

/** RFC 7143 §11.18, asking for an answer. */
function nopOut(cmdSn: number, tag: number): Buffer {
  return bhs(0x00, 0x80, 0, (pdu) => {
    pdu.writeUInt32BE(tag, 16)
    pdu.writeUInt32BE(0xffffffff, 20)
    pdu.writeUInt32BE(cmdSn, 24)
  })
}

async function loggedIn(): Promise<RawConnection> {
  const connection = await RawConnection.open()
  const response = await connection.login(volume.iqn)
  expect([response[0], response.readUInt16BE(36)]).toEqual([LOGIN_RESPONSE, 0])
  return connection
}

describe('a connection', () => {
  test('that ends inside a PDU is closed', async () => {
    const whole = loginRequest(volume.iqn)
    for (const bytes of [1, 47, 48, whole.length - 1]) {
      const connection = await RawConnection.open()
      connection.send(whole.subarray(0, bytes))
      connection.socket.end()
      await connection.isClosed()
    }
    const later = await loggedIn()
    later.send(nopOut(100, 1).subarray(0, 30))
    later.socket.end()
    await later.isClosed()
  })

  test('that announces more data than was agreed is closed', async () => {
    const before = await RawConnection.open()
    before.send(bhs(0x43, 0x87, 0xffffff, () => {}))
    await before.isClosed()
    const after = await loggedIn()
    after.send(bhs(0x00, 0x80, 0xffffff, (pdu) => pdu.writeUInt32BE(100, 24)))
    await after.isClosed()
  })

  test('that does not begin with a login is refused and closed', async () => {
    const connection = await RawConnection.open()
    connection.send(nopOut(1, 1))
    // RFC 7143 §6.3.1: Login reject, "invalid during login".
    const response = await connection.pdu()
    expect([response[0], response.readUInt16BE(36)]).toEqual([LOGIN_RESPONSE, 0x020b])
    await connection.isClosed()
  })

  test('that sends an unknown opcode is told so, or closed', async () => {
    for (const opcode of [0x0a, 0x1b, 0x3e]) {
      const connection = await loggedIn()
      connection.send(bhs(opcode, 0x80, 0, (pdu) => pdu.writeUInt32BE(100, 24)))
      const answered = async () => connection.closed || connection.received.length >= BHS
      await expect.poll(answered).toBe(true)
      if (connection.received.length > 0) expect(connection.received[0]).toBe(REJECT)
    }
  })

  test('that sends a CmdSN out of the window is not heard, and goes on', async () => {
    const connection = await loggedIn()
    connection.send(nopOut(99, 0xbad), nopOut(100 + 100_000, 0xbad), nopOut(100, 0x900d))
    const answer = await connection.pdu()
    expect([answer[0], answer.readUInt32BE(16)]).toEqual([NOP_IN, 0x900d])
    connection.send(nopOut(100, 0xbad), nopOut(101, 0xa11))
    expect((await connection.pdu()).readUInt32BE(16)).toBe(0xa11)
  })

  test('to a target that does not exist is refused as not found', async () => {
    const connection = await RawConnection.open()
    const response = await connection.login(`${volume.iqn}-other`)
    expect([response[0], response.readUInt16BE(36)]).toEqual([LOGIN_RESPONSE, 0x0203])
    await connection.isClosed()
  })

  test('of noise is closed', async () => {
    const seed = Date.now() & 0x7fffffff
    const prng = new Prng(seed)
    console.log(`noise of seed ${seed}`)
    const noise = () => Buffer.from(Array.from({ length: 4096 }, () => prng.integer(0, 255)))
    for (let i = 0; i < 20; i += 1) {
      const connection = i % 2 === 0 ? await RawConnection.open() : await loggedIn()
      connection.send(noise())
      connection.socket.end()
      await connection.isClosed()
    }
  })
})

describe('a command', () => {
  test('beyond the end of the volume is refused, and changes nothing', async () => {
    const last = volume.bytes / 512 - 1
    const bytes = new Uint8Array(1024)
    const wrong = [
      { cdb: readCdb(last, 2), read: bytes },
      { cdb: writeCdb(last, 2), write: bytes.fill(1) },
      { cdb: readCdb(2 ** 40, 1), read: bytes },
    ]
    for (const request of wrong) {
      const answer = await bystander.command(request)
      if (answer.kind !== 'answered') throw new Error('not answered')
      expect(answer.status).toBe(2)
      expect(parseSense(answer.sense ?? bytes)).toEqual(ILLEGAL_REQUEST)
    }
    const block = new Uint8Array(512)
    expect(await bystander.read(last, 1, block)).toMatchObject({ status: 0 })
    expect(block.every((byte) => byte === 0)).toBe(true)
  })
})

describe('the API', () => {
  const wanted = JSON.stringify({ name: 'not-made', bytes: MIB })

  const post = async (headers: Record<string, string>): Promise<number> => {
    const options = { method: 'POST', host: '127.0.0.1', port: group.basePort }
    const request = httpRequest({ ...options, path: '/api/v1/volumes', headers })
    request.end(wanted)
    const [response] = await once(request, 'response')
    response.resume()
    await once(response, 'end')
    return response.statusCode
  }

  test('refuses what a page of another site makes a browser send, and does none of it', async () => {
    const json = { 'content-type': 'application/json' }
    expect(await post({ ...json, origin: 'http://evil.example' })).toBe(403)
    expect(await post({ ...json, host: `evil.example:${group.basePort}` })).toBe(403)
    expect(await post({ ...json, 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(await post({ 'content-type': 'text/plain' })).toBe(415)
    expect(await post({ 'content-type': 'application/x-www-form-urlencoded' })).toBe(415)
    expect((await group.call('volumes/not-made')).status).toBe(404)
    expect(await post(json)).toBe(201)
  })

  test('says what to do about a name that is taken, a size that cannot be, a member that is not there', async () => {
    const taken = { name: volume.name, bytes: MIB }
    const { status, body } = await group.call<Problem>('volumes', taken)
    expect({ status, body }).toMatchObject({
      status: 409,
      body: { code: 'volumeExists', action: expect.stringContaining('Choose another name') },
    })
    const refused = [
      await group.call<Problem>('volumes', { name: 'odd', bytes: MIB + 1 }),
      await group.call<Problem>('volumes', { name: 'No Such Name', bytes: MIB }),
    ]
    expect(refused.map((answer) => answer.status)).toEqual([400, 400])
    const session = (await group.sessions()).find(({ volume: name }) => name === volume.name)
    const nowhere = await group.call<Problem>(`sessions/${session?.id}/move`, { to: 'm9' })
    expect(nowhere).toMatchObject({ status: 404, body: { code: 'memberNotFound' } })
  })
})

test('a damaged data folder is refused with a sentence, and left as it is', async () => {
  const other = await TestGroup.start('--copies', '1')
  try {
    other.process.kill('SIGTERM')
    await once(other.process, 'close')
    const data = join(other.folder, 'data')
    const file = join(data, 'm2', 'super')
    const noise = Buffer.alloc((await readFile(file)).length, 0xa5)
    await writeFile(file, noise)
    await expect(startGroupAnywhere(data)).rejects.toThrow(
      /m2 did not start: .*superblock .* damaged\./,
    )
    expect((await readFile(file)).equals(noise)).toBe(true)
  } finally {
    await other.stop()
  }
})
