// The plan of the rooms (docs: ARCHITECTURE), to which architecture.test.ts holds the source.

/** What each room imports besides itself, and no more than that. Direction: a room knows only rooms that stand before it. */
export const plan: Readonly<Record<string, readonly string[]>> = {
  base: [],
  iscsi: ['base'],
  scsi: ['base'],
  group: ['base'],
  load: ['group'],
  distribution: ['base', 'group', 'load'],
  coordination: ['base', 'group'],
  peer: ['base', 'group'],
  store: ['base', 'peer'],
  slice: ['base', 'group', 'coordination', 'store', 'peer'],
  volume: ['base', 'group', 'load', 'peer', 'slice'],
  initiator: ['base', 'iscsi'],
  target: [
    ...['base', 'iscsi', 'scsi', 'group', 'load'],
    ...['coordination', 'peer', 'slice', 'volume'],
  ],
  io: ['base', 'coordination'],
  api: ['base', 'group'],
  balance: [
    ...['base', 'group', 'load', 'distribution', 'coordination'],
    ...['store', 'peer', 'volume', 'target', 'api'],
  ],
  operator: [
    ...['base', 'group', 'distribution', 'coordination'],
    ...['peer', 'target', 'io', 'api', 'balance'],
  ],
  member: [
    ...['base', 'iscsi', 'scsi', 'group', 'distribution', 'coordination', 'store'],
    ...['peer', 'slice', 'volume', 'target', 'io', 'api', 'balance', 'operator'],
  ],
  supervisor: ['group', 'coordination', 'store', 'io', 'api', 'operator', 'member'],
  cli: ['base', 'initiator', 'io', 'api', 'member', 'supervisor'],
}
export const pure = ['base', 'iscsi', 'scsi', 'group', 'load', 'distribution']
export const quiet = [
  'store',
  'peer',
  'coordination',
  'slice',
  'volume',
  'target',
  'initiator',
  'balance',
]
export const edge = ['io', 'api', 'operator', 'member', 'supervisor', 'cli']

/** Third-party packages, each in the rooms that may import it. */
export const packages: Readonly<Record<string, readonly string[]>> = {
  '@node-rs/crc32': ['base'],
  fastify: ['api'],
  '@fastify/swagger': ['api'],
  'fastify-type-provider-zod': ['api'],
  'prom-client': ['api'],
  zod: ['api', 'operator', 'member', 'supervisor', 'cli'],
  commander: ['cli'],
  '@bomb.sh/tab': ['cli'],
  'string-width': ['cli'],
  picocolors: ['cli'],
  yaml: ['member', 'cli'],
  pino: ['operator'],
}

/** One door: the CLI knows the HTTP API and nothing behind it. */
export const cliKnowsOfApi = ['src/api/caller.ts', 'src/api/schema.ts', 'src/api/errors.ts']
