// The command `evenkeel`, started by bin/evenkeel.
import packageJson from '../../package.json' with { type: 'json' }
import { keepPrivate } from '../io/folders.ts'
import { terminalKeyboard } from './keyboard.ts'
import { run } from './program.ts'
import type { Outlet } from './screen.ts'

const outlet = (stream: NodeJS.WriteStream): Outlet => ({
  write: (text) => {
    stream.write(text)
  },
  isTTY: stream.isTTY,
  get columns() {
    return stream.columns
  },
  get rows() {
    return stream.rows
  },
  onResize: (resized) => {
    stream.on('resize', resized)
    return () => stream.removeListener('resize', resized)
  },
})

keepPrivate()

// A reader that went away (`evenkeel … | head`) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const code = await run(
  process.argv.slice(2),
  {
    out: outlet(process.stdout),
    err: outlet(process.stderr),
    environment: process.env,
    keyboard: process.stdin.isTTY ? terminalKeyboard(process.stdin, process.stderr) : null,
  },
  packageJson.version,
)
process.exitCode = code
// A member that could not start has opened things that would hold the event loop, and its supervisor waits for its end.
if (code !== 0) process.exit()
