import { execFile } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, it } from 'vitest'
import { sharedBytes, type WriteJob } from '../base/disk.ts'
import { WriteWorker } from './write-worker.ts'

/** What the worker looks at of a job. */
const job = (parts: readonly Uint8Array[], offset: number) => ({ parts, offset }) as WriteJob
const filled = (bytes: Uint8Array, value: number) => bytes.fill(value)

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

function openIn(name: string): { readonly path: string; readonly fd: number } {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-writes-'))
  const path = join(folder, name)
  const fd = openSync(path, 'w+')
  ends.push(() => {
    closeSync(fd)
    rmSync(folder, { recursive: true })
  })
  return { path, fd }
}

it('WW3 writes shared and other bytes, in as many parts as it is given, each file its own', async () => {
  const worker = new WriteWorker()
  const [a, b] = [openIn('a'), openIn('b')]
  const memory = sharedBytes(8192)
  filled(memory.subarray(0, 4096), 1)
  filled(memory.subarray(4096), 2)
  const many = Array.from({ length: 1500 }, (_, i) => filled(new Uint8Array(3), i % 250))
  const jobs = [
    job([memory.subarray(4096), filled(new Uint8Array(5), 7), memory.subarray(0, 4096)], 10),
    job(many, 100),
    job([filled(new Uint8Array(4096), 9)], 20_000),
  ]
  expect(await worker.write(jobs, [a.fd, b.fd, a.fd])).toEqual([])
  // A memory that it knows by now, with other bytes.
  filled(memory, 5)
  expect(await worker.write([job([memory.subarray(1, 3)], 0)], [b.fd])).toEqual([])
  await worker.end()
  const inA = readFileSync(a.path)
  expect([inA[9], inA[10], inA[4105], inA[4106], inA[4110], inA[4111]]).toEqual([0, 2, 2, 7, 7, 1])
  expect([inA.length, inA[20_000], inA[24_095]]).toEqual([24_096, 9, 9])
  const inB = readFileSync(b.path)
  expect([...inB.subarray(0, 3)]).toEqual([5, 5, 0])
  expect(inB.subarray(100)).toEqual(Buffer.concat(many))
})

it('a write that fails says why, and keeps none of the others', async () => {
  const worker = new WriteWorker()
  const file = openIn('a')
  const [full, readOnly] = [openSync('/dev/full', 'w'), openSync(file.path, 'r')]
  ends.push(() => [full, readOnly].map(closeSync))
  const one = () => job([filled(new Uint8Array(10), 1)], 0)
  const jobs = [one(), one(), one(), job([filled(new Uint8Array(10), 2)], 10)]
  const failed = await worker.write(jobs, [full, file.fd, readOnly, file.fd])
  expect(failed.map(({ job, cause }) => [job, cause.code])).toEqual([
    [0, 'ENOSPC'],
    [2, 'EBADF'],
  ])
  await worker.end()
  expect([...readFileSync(file.path)]).toEqual([...Array(10).fill(1), ...Array(10).fill(2)])
})

it('WW1 a thread that died fails what it was handed, and everything afterwards', async () => {
  const worker = new WriteWorker()
  const { fd } = openIn('a')
  const under = worker.write([job([new Uint8Array(10)], 0)], [fd])
  const died = expect(under).rejects.toThrow(/the thread that writes home died/)
  await worker.end()
  await died
  await expect(worker.write([job([new Uint8Array(10)], 0)], [fd])).rejects.toMatchObject({
    name: 'DiskError',
    code: 'IO',
  })
})

it('WW2 holds the process while something is under way, and not longer', async () => {
  const { path } = openIn('a')
  const url = new URL('./write-worker.ts', import.meta.url).href
  const program = `
    import { openSync } from 'node:fs'
    const { WriteWorker } = await import(${JSON.stringify(url)})
    const worker = new WriteWorker()
    const fd = openSync(${JSON.stringify(path)}, 'r+')
    const write = () => worker.write([{ parts: [new Uint8Array([1, 2, 3])], offset: 0 }], [fd])
    write().then(write).then(() => console.log('written'))`
  const child = ['--input-type=module', '-e', program]
  const { stdout } = await promisify(execFile)(process.execPath, child, { timeout: 60_000 })
  expect(stdout).toBe('written\n')
  expect([...readFileSync(path)]).toEqual([1, 2, 3])
})
