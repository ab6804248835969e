// The plan of the rooms (docs: ARCHITECTURE), to which architecture.test.ts holds the source.

/** What each room imports besides itself, and no more than that. Direction: a room knows only rooms that stand before it. */
export const plan: Readonly<Record<string, readonly string[]>> = {
  base: [],
  iscsi: ['base'],
  scsi: ['base'],
  placement: ['base'],
  group: ['base', 'placement'],
  load: ['base'],
  distribution: ['base', 'group', 'load'],
  simulate: ['base', 'load', 'distribution'],
  coordination: ['base', 'group'],
  peer: ['base'],
  store: ['base', 'peer'],
  slice: ['base', 'group', 'coordination', 'store', 'peer'],
  volume: ['base', 'group', 'load', 'peer', 'slice'],
  initiator: ['base', 'iscsi'],
  target: [
    ...['base', 'iscsi', 'scsi', 'group', 'load'],
    ...['coordination', 'peer', 'slice', 'volume'],
  ],
  io: ['base', 'coordination'],
  api: ['base', 'group', 'distribution'],
  balance: [
    ...['base', 'group', 'load', 'distribution', 'coordination'],
    ...['store', 'peer', 'volume', 'target', 'api'],
  ],
  operator: [
    ...['base', 'placement', 'group', 'load', 'distribution', 'coordination'],
    ...['peer', 'target', 'io', 'api', 'balance'],
  ],
  member: [
    ...['base', 'iscsi', 'scsi', 'group', 'distribution', 'coordination', 'store'],
    ...['peer', 'slice', 'volume', 'target', 'io', 'api', 'balance', 'operator'],
  ],
  supervisor: ['base', 'group', 'coordination', 'store', 'io', 'api', 'operator', 'member'],
  cli: ['base', 'simulate', 'initiator', 'io', 'api', 'member', 'supervisor'],
}
export const pure = [
  ...['base', 'iscsi', 'scsi', 'placement', 'group', 'load'],
  ...['distribution', 'simulate'],
]
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

/** One door: of a group the CLI knows the HTTP API and nothing behind it. */
export const cliKnowsOfApi = [
  'src/api/caller.ts',
  'src/api/schema.ts',
  'src/api/balance-schema.ts',
  'src/api/health-schema.ts',
  'src/api/layout-schema.ts',
  'src/api/keeping-schema.ts',
  ...['src/api/event-schema.ts', 'src/api/event-kinds.ts'],
  'src/api/errors.ts',
]

/** What the dashboard imports besides its own files and the pure words of src/base. */
export const dashboardKnows = [
  ...['src/api/schema.ts', 'src/api/balance-schema.ts', 'src/api/errors.ts'],
  ...['src/api/health-schema.ts', 'src/api/history-schema.ts', 'src/api/layout-schema.ts'],
  ...['src/api/keeping-schema.ts', 'src/api/event-kinds.ts', 'src/api/event-schema.ts'],
  ...['preact', 'preact/hooks', '@preact/signals'],
  'dashboard/src/page.css',
]

/** Each port with its real and its simulated implementation, and the suite that both pass. */
export const ports = [
  { port: 'src/base/clock.ts', real: 'src/io/clock.ts', simulated: 'sim/clock.ts', suite: null },
  { port: 'src/base/disk.ts', real: 'src/io/disk.ts', simulated: 'sim/disk.ts', suite: 'disk' },
  { port: 'src/base/net.ts', real: 'src/io/net.ts', simulated: 'sim/net.ts', suite: 'net' },
  {
    port: 'src/base/system-probe.ts',
    real: 'src/io/system-probe.ts',
    simulated: 'sim/distribution.ts',
    suite: null,
  },
  {
    port: 'src/coordination/coordinator.ts',
    real: 'src/coordination/embedded.ts',
    simulated: 'sim/coordinator.ts',
    suite: 'coordinator',
  },
] as const
