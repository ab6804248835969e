import { describe, expect, test } from 'vitest'
import { refuseCaller } from './guard.ts'

const code = (host: string | undefined, origin?: string, site?: string, isVisit = false) =>
  refuseCaller({ host, origin, site, isVisit }, ['storage.lan'])?.code ?? 'welcome'

describe('who may call', () => {
  test('A1 an address, localhost and the configured name are welcome, any other name is not', () => {
    for (const host of [
      '127.0.0.1:3259',
      'localhost:3259',
      'LOCALHOST',
      '[::1]:3259',
      'storage.lan',
    ]) {
      expect(code(host), host).toBe('welcome')
    }
    for (const host of [
      'evil.example:3259',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'a@b',
      '',
      '[::1',
      '1:2:3',
    ]) {
      expect(code(host), host).toBe('badHost')
    }
    expect(code(undefined)).toBe('badHost')
  })

  test('A2 only pages of this very address are welcome', () => {
    expect(code('127.0.0.1:3259', 'http://127.0.0.1:3259', 'same-origin')).toBe('welcome')
    expect(code('127.0.0.1:3259', 'http://127.0.0.1:8080')).toBe('crossSite')
    expect(code('127.0.0.1:3259', 'https://evil.example')).toBe('crossSite')
    expect(code('127.0.0.1:3259', 'null')).toBe('crossSite')
    expect(code('127.0.0.1:3259', undefined, 'cross-site')).toBe('crossSite')
    expect(code('127.0.0.1:3259', undefined, 'same-site')).toBe('crossSite')
    expect(code('127.0.0.1:3259', undefined, 'none')).toBe('welcome')
  })

  test('A2 a link leads to the dashboard from anywhere, unless it bears a foreign name', () => {
    expect(code('127.0.0.1:3259', undefined, 'same-site', true)).toBe('welcome')
    expect(code('127.0.0.1:3259', undefined, 'cross-site', true)).toBe('welcome')
    expect(code('evil.example:3259', undefined, 'cross-site', true)).toBe('badHost')
    expect(code('127.0.0.1:3259', 'https://evil.example', 'cross-site', true)).toBe('crossSite')
  })
})
