// The command `evenkeel`, started by bin/evenkeel.
import packageJson from '../../package.json' with { type: 'json' }
import { run } from './program.ts'

const outlet = (stream: NodeJS.WriteStream) => ({
  write: (text: string) => {
    stream.write(text)
  },
  isTTY: stream.isTTY,
})

// A reader that went away (`evenkeel … | head`) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const code = await run(
  process.argv.slice(2),
  { out: outlet(process.stdout), err: outlet(process.stderr), environment: process.env },
  packageJson.version,
)
process.exitCode = code
// A member that could not start has opened things that would hold the event loop, and its supervisor waits for its end.
if (code !== 0) process.exit()
