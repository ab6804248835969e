// How the dashboard is built into dashboard/built, which is kept in the repository and served by every member; and how it is
// tried while it is written: with the API of a group that runs on this machine.
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
/** Of `npm run dashboard`: the first member of `npm start`. */
const GROUP = process.env['EVENKEEL_API'] ?? 'http://127.0.0.1:3259'

export default defineConfig({
  root: here('.'),
  logLevel: 'warn',
  build: {
    outDir: here('built'),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': { target: GROUP, changeOrigin: true } } },
})
