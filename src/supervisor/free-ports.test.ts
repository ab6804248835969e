import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freeBasePort, onFreePorts, portTaken } from './free-ports.ts'

const HOST = '127.0.0.1'

test('P1 ports are chosen below those of outgoing connections, and are free', async () => {
  for (let n = 0; n < 20; n += 1) {
    const base = await freeBasePort(HOST, 6)
    expect(base).toBeGreaterThanOrEqual(10_000)
    expect(base + 5).toBeLessThan(32_768)
  }
})

test('P1 what finds one of its ports taken is started again on others, and anything else is not', async () => {
  const ports: number[] = []
  const taken = async (base: number) => {
    ports.push(base)
    if (ports.length === 1) throw new Error(`Port ${base + 1} on ${HOST} is in use; …`)
    if (ports.length === 2) {
      throw new Error(`cannot listen on ${HOST}:${base}: the address is in use by another process`)
    }
    return base
  }
  expect(await onFreePorts(HOST, 6, taken)).toBe(ports[2])
  let starts = 0
  const broken = () => {
    starts += 1
    return Promise.reject(new Error('The data folder is in use by process 7.'))
  }
  await expect(onFreePorts(HOST, 6, broken)).rejects.toThrow('in use by process 7')
  expect(starts).toBe(1)
})

test('the first port of several that something listens on is named', async () => {
  const base = await freeBasePort(HOST, 2)
  const server = createServer().listen(base + 1, HOST)
  await once(server, 'listening')
  expect(await portTaken(HOST, [base, base + 1])).toBe(base + 1)
  server.close()
})
