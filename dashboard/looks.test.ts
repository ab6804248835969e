// The colours of the style sheet can be told apart by people who see little contrast: WCAG 2.2 AA (1.4.3, 1.4.11), in both
// themes.
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

const sheet = await readFile(new URL('src/page.css', import.meta.url), 'utf8')

const TEXT = 4.5
const SHAPE = 3

/** Pairs of a colour and what it lies on. */
const pairs: readonly (readonly [colour: string, on: string, least: number])[] = [
  ...['ink', 'soft', 'link', 'keel', 'warning', 'error'].flatMap(
    (colour) => ['paper', 'card'].map((on) => [colour, on, TEXT]) as [string, string, number][],
  ),
  ...['line', 'surface', 'focus'].map((one) => [one, 'glass', SHAPE] as [string, string, number]),
  ['surface', 'water', 1.2],
]

function colourOf(name: string, isDark: boolean): string {
  const both = new RegExp(`--${name}: light-dark\\((#\\w{6}), (#\\w{6})\\)`).exec(sheet)
  const colour = both?.[isDark ? 2 : 1]
  if (colour === undefined) throw new Error(`--${name} is not there`)
  return colour
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function contrast(a: string, b: string): number {
  const [darker = 0, lighter = 0] = [luminance(a), luminance(b)].sort((one, two) => one - two)
  return (lighter + 0.05) / (darker + 0.05)
}

test.each(['light', 'dark'])('colours have enough contrast: %s', (theme) => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21)
  const weak = pairs
    .map(([colour, on, least]) => {
      const isDark = theme === 'dark'
      return { colour, on, least, has: contrast(colourOf(colour, isDark), colourOf(on, isDark)) }
    })
    .filter(({ has, least }) => has < least)
  expect(weak).toEqual([])
})

test('text on buttons has enough contrast', () => {
  const rules = [
    ...sheet.matchAll(
      /background: light-dark\((#\w{6}), (#\w{6})\);[^}]*color: light-dark\((#\w{6}), (#\w{6})\)/g,
    ),
  ]
  expect(rules).toHaveLength(2)
  for (const [, light = '', dark = '', onLight = '', onDark = ''] of rules) {
    expect(contrast(light, onLight)).toBeGreaterThan(TEXT)
    expect(contrast(dark, onDark)).toBeGreaterThan(TEXT)
  }
})
