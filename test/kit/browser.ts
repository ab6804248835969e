// Debian's Chromium for tests of the dashboard: without a window, without asking anybody anything.
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

const PATHS = ['chromium', 'chromium-browser', 'google-chrome'].map((name) => `/usr/bin/${name}`)
const QUIET = ['gpu', 'background-networking', 'component-update', 'sync'].map(
  (what) => `--disable-${what}`,
)

export async function startBrowser(): Promise<Browser> {
  const executablePath = PATHS.find((path) => existsSync(path))
  if (executablePath === undefined) throw new Error('Chromium is missing: npm test installs it')
  return chromium.launch({ executablePath, args: ['--no-sandbox', ...QUIET] })
}

export interface Watched {
  readonly page: Page
  /** What went wrong on it by itself: errors, violations of its policy, requests to anywhere but where it came from. */
  readonly complaints: readonly string[]
}

export interface Looks {
  readonly width: number
  readonly theme: 'light' | 'dark'
}

export async function openPage(
  browser: Browser,
  url: string,
  { width, theme }: Looks = { width: 1280, theme: 'light' },
): Promise<Watched> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: theme })
  const complaints: string[] = []
  page.on('pageerror', ({ message }) => complaints.push(message))
  page.on('console', (message) => {
    // A member that is gone is told on the page.
    const isNetwork = message.text().startsWith('Failed to load resource')
    if (message.type() === 'error' && !isNetwork) complaints.push(message.text())
  })
  page.on('request', (request) => {
    const from = new URL(page.url() === 'about:blank' ? request.url() : page.url())
    const isVisit = request.isNavigationRequest()
    if (!isVisit && new URL(request.url()).host !== from.host) complaints.push(request.url())
  })
  await page.goto(url)
  return { page, complaints }
}
