import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { OperatorInMemory } from './operator-in-memory.fixture.ts'
import { buildApi } from './server.ts'

class Talkative extends OperatorInMemory {
  override problems() {
    return super.problems().map((one) => ({ ...one, sentence: 'x'.repeat(16 * 1024 ** 2) }))
  }
}

test('EV1 a stream whose reader does not read is ended', async () => {
  const operator = new Talkative()
  const settings = { host: '127.0.0.1', port: 0, version: '0.1.0', failed: () => {} }
  const app = await buildApi(operator, settings)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const connections = () =>
    new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count)))
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(`GET /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`)
  await once(socket, 'data')
  socket.pause()
  expect(await connections()).toBe(1)
  operator.isWell = false
  await expect.poll(connections).toBe(0)
  socket.destroy()
  await app.close()
})
