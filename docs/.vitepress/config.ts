// The guides as a site: `npm run docs:build`. It asks no network once its packages are there, and the site asks none either: its
// search is an index that is built with it.
import { defineConfig } from 'vitepress'

export default defineConfig({
  title: 'Evenkeel',
  description:
    'Scale-out iSCSI block storage that keeps every member level by moving live connections',
  outDir: '../dist/docs',
  cacheDir: '../dist/.vitepress',
  markdown: { config: linksInside },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Guides', link: '/guide/start' },
      { text: 'Reference', link: '/OPERATING' },
    ],
    sidebar: [
      part('Begin', {
        'The first five minutes': '/guide/start',
        'How it decides what to move': '/guide/moving',
        'Compared with others': '/guide/compared',
      }),
      part('Clients', {
        'A group that others can reach': '/guide/network',
        Linux: '/guide/linux',
        'QEMU and libvirt': '/guide/qemu',
        'Proxmox VE': '/guide/proxmox',
        Windows: '/guide/windows',
        'VMware ESXi': '/guide/esxi',
        Kubernetes: '/guide/kubernetes',
        'What initiators saw': '/interop',
      }),
      part('Operate', {
        'Running a group': '/guide/running',
        Troubleshooting: '/guide/troubleshooting',
        Security: '/guide/security',
        'The API': '/guide/api',
        'Commands and settings': '/OPERATING',
      }),
      part('Build', {
        Architecture: '/ARCHITECTURE',
        Words: '/GLOSSARY',
        Testing: '/TESTING',
      }),
    ],
  },
})

/** Pages by their names. */
function part(text: string, pages: Readonly<Record<string, string>>) {
  return { text, items: Object.entries(pages).map(([name, link]) => ({ text: name, link })) }
}

interface Token {
  readonly type: string
  attrGet(name: string): string | null
  attrSet(name: string, value: string): void
  children: Token[] | null
}

interface Markdown {
  readonly core: {
    readonly ruler: { push(name: string, rule: (state: { tokens: Token[] }) => void): void }
  }
}

/** A link to what the site does not have leads nowhere: only its words are kept. */
function linksInside(markdown: Markdown): void {
  markdown.core.ruler.push('links-inside', ({ tokens }) => {
    for (const token of tokens) {
      let isLeftOut = false
      token.children = (token.children ?? []).filter((child) => {
        const isOutside =
          child.type === 'link_open' &&
          /^(\.\.\/){1,2}(README|CHANGELOG|bench|src|deploy|LICENSE)|openapi\.json/.test(
            child.attrGet('href') ?? '',
          )
        if (isOutside) isLeftOut = true
        if (!isLeftOut || !child.type.startsWith('link_')) return true
        if (child.type === 'link_close') isLeftOut = false
        return false
      })
    }
  })
}
