// The guides as a site: `npm run docs:build`. It asks no network once its packages are there, and the site asks none either: its
// search is an index that is built with it.
import { defineConfig } from 'vitepress'

export default defineConfig({
  title: 'Evenkeel',
  description:
    'Scale-out iSCSI block storage that keeps every member level by moving live connections',
  outDir: '../dist/docs',
  cacheDir: '../dist/.vitepress',
  // What stands outside of this folder is read in the repository.
  ignoreDeadLinks: [/^(\.\/)?(\.\.\/)+(README|CHANGELOG|bench|src|deploy|LICENSE)/, /openapi/],
  markdown: { config: linksInside },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Guides', link: '/guide/start' },
      { text: 'Reference', link: '/OPERATING' },
    ],
    sidebar: [
      {
        text: 'Begin',
        items: [
          { text: 'The first five minutes', link: '/guide/start' },
          { text: 'How it decides what to move', link: '/guide/moving' },
          { text: 'Compared with others', link: '/guide/compared' },
        ],
      },
      {
        text: 'Clients',
        items: [
          { text: 'A group that others can reach', link: '/guide/network' },
          { text: 'Linux', link: '/guide/linux' },
          { text: 'QEMU and libvirt', link: '/guide/qemu' },
          { text: 'Proxmox VE', link: '/guide/proxmox' },
          { text: 'Windows', link: '/guide/windows' },
          { text: 'VMware ESXi', link: '/guide/esxi' },
          { text: 'Kubernetes', link: '/guide/kubernetes' },
          { text: 'What initiators saw', link: '/interop' },
        ],
      },
      {
        text: 'Operate',
        items: [
          { text: 'Running a group', link: '/guide/running' },
          { text: 'Troubleshooting', link: '/guide/troubleshooting' },
          { text: 'Security', link: '/guide/security' },
          { text: 'The API', link: '/guide/api' },
          { text: 'Commands and settings', link: '/OPERATING' },
        ],
      },
      {
        text: 'Build',
        items: [
          { text: 'Architecture', link: '/ARCHITECTURE' },
          { text: 'Words', link: '/GLOSSARY' },
          { text: 'Testing', link: '/TESTING' },
        ],
      },
    ],
  },
})

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
