// What one member is started with: the file that `evenkeel serve --config FILE` reads (YAML or JSON) and `evenkeel up`
// writes for each of its members. Parsing, defaults and the sentences about mistakes come from this one schema.
//
// Invariants:
//   C1. Nothing listens beyond loopback unless `insecure` says so.
//   C2. A mistake is refused with its field and what is wrong; nothing is bent or ignored.
//   C3. Nobody is sent to an address that no one can connect to: who listens on every address says which one is told.
//   C4. What it says of the group is what the group can be founded with: the rules are those of group/founding.ts.

import { resolve } from 'node:path'
import { z } from 'zod'
import { memberId } from '../base/ids.ts'
import {
  DEFAULT_AUTHORITY,
  refuseAuthority,
  refuseCopies,
  refuseFounders,
  refuseGroupName,
  refuseMemberId,
  refuseSlices,
} from '../group/founding.ts'
import { parsePortal } from '../iscsi/names.ts'
import { limits } from '../scsi/logical-unit.ts'
import type { Accept } from '../store/settings.ts'
import { boundsDefaults } from '../target/memory-bounds.ts'
import { isHost, isLoopback, isWildcard, plainHost } from './addresses.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** More than any member needs; every sum of such numbers is exact. */
const MOST_BYTES = 1024 * KIB * MIB
/** The kernel takes 108 bytes with the final zero. */
export const SOCKET_PATH_BYTES_MAX = 107
const SLICES_DEFAULT = 1024

/** A check by a rule of the group record (group/founding.ts), which says in a sentence what is wrong. */
const ruled =
  <T>(refuse: (value: T) => string | null) =>
  (value: T, context: z.RefinementCtx<T>): void => {
    const wrong = refuse(value)
    if (wrong !== null) context.addIssue({ code: 'custom', message: withoutStop(wrong) })
  }

const memberName = z.string().superRefine(ruled(refuseMemberId)).transform(memberId)

const listener = (port: number) =>
  z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').transform(plainHost),
      port: z.number().int().min(0).max(65_535).default(port),
    })
    .prefault({})

const bytes = (least: number, usual: number) =>
  z.number().int().min(least).max(MOST_BYTES).default(usual)

export const memberConfig = z
  .strictObject({
    memberId: memberName,
    groupName: z.string().superRefine(ruled(refuseGroupName)).default('group'),
    dataFolder: z.string().min(1),
    coordinationFile: z.string().min(1),
    launcherFile: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe('Where the launcher writes which members it had to start again.'),
    founders: z
      .array(memberName)
      .min(1)
      .optional()
      .describe('Members of the group when it is founded; this one alone unless given.'),
    copies: z
      .number()
      .default(1)
      .describe(
        'Of each slice of a new group, on as many members. Later `layout apply --copies` changes it.',
      ),
    slices: z
      .number()
      .superRefine(ruled(refuseSlices))
      .default(SLICES_DEFAULT)
      .describe('Fixed when the group is founded.'),
    namingAuthority: z
      .string()
      .superRefine(ruled(refuseAuthority))
      .default(DEFAULT_AUTHORITY)
      .describe('Fixed when the group is founded.'),
    portal: listener(3260).describe('Where initiators reach this member.'),
    announce: z
      .string()
      .transform(plainHost)
      .refine(
        (host) => isHost(host) && !isWildcard(host),
        'announce is the address or the name by which others reach this host, without a port',
      )
      .nullable()
      .default(null)
      .describe('What initiators and callers are told as the host; null: what is listened on.'),
    groupAddress: z
      .string()
      .refine(
        (text) => !isWildcard(parsePortal(text)?.host ?? '::'),
        'groupAddress is a host and a port that initiators reach, as 192.0.2.5:3260 or [2001:db8::5]:3260',
      )
      .nullable()
      .default(null)
      .describe('What discovery answers with instead of the portal that was asked, as host:port.'),
    peer: z
      .string()
      .min(1)
      .optional()
      .describe('Unix socket for the other members; peer.sock in the data folder.'),
    api: listener(3259),
    placement: z.enum(['on', 'off']).default('on'),
    standIn: z
      .enum(['on', 'off'])
      .default('on')
      .describe('Answer at the portal of another member of this host while that is away.'),
    balance: z
      .enum(['on', 'off', 'advise'])
      .nullable()
      .default(null)
      .describe('Set for the group at the start; null leaves it as it is (on in a new group).'),
    policy: z
      .record(z.string(), z.unknown())
      .default({})
      .describe('Settings of the distribution policy, set for the group at the start.'),
    journalBytes: z
      .number()
      .int()
      .min(4 * MIB)
      .max(16 * KIB * MIB)
      .multipleOf(MIB)
      .default(KIB * MIB),
    slotsPerSegment: z.number().int().min(16).max(4096).default(256),
    budgetBytes: z
      .number()
      .int()
      .min(0)
      .nullable()
      .default(null)
      .describe('The most that pages may take here; null: whatever the file system has free.'),
    networkBitsPerSecond: z
      .number()
      .int()
      .min(0)
      .max(1e13)
      .nullable()
      .default(null)
      .describe(
        'What initiators can reach this member by, each way; 0: others use it too; null: as the system tells of the interface that has the address of the portal.',
      ),
    cacheBytes: z
      .number()
      .int()
      .min(0)
      .max(MOST_BYTES)
      .nullable()
      .default(null)
      .describe(
        'Memory for blocks that are read often; 0: none; null: a 16th of what the machine has, at most 1 GiB.',
      ),
    scrubDays: z
      .number()
      .min(0)
      .max(365)
      .default(7)
      .describe('Every block is read against its checksum once in so many days; 0: never.'),
    bounds: z
      .strictObject({
        sendBytes: bytes(MIB, boundsDefaults.sendBytes),
        sendBytesPerConnection: bytes(MIB, boundsDefaults.sendBytesPerConnection),
        receiveBytes: bytes(limits.transferBytes, boundsDefaults.receiveBytes),
        unsolicitedBytes: bytes(MIB, boundsDefaults.unsolicitedBytes),
        receiveBytesPerConnection: bytes(MIB, boundsDefaults.receiveBytesPerConnection),
      })
      .prefault({})
      .describe('What initiators can make this member hold in memory.'),
    insecure: z.boolean().default(false).describe('Listen beyond loopback without authentication.'),
  })
  .transform((config) => ({
    ...config,
    accept: 'nothing' as Accept,
    founders: config.founders ?? [config.memberId],
    peer: config.peer ?? resolve(config.dataFolder, 'peer.sock'),
  }))
  .superRefine((config, context) => {
    const wrong = refuseFounders(config.founders, config.slices)
    if (wrong !== null)
      context.addIssue({ code: 'custom', path: ['founders'], message: withoutStop(wrong) })
    const wrongCopies = refuseCopies(config.copies, config.founders.length)
    if (wrongCopies !== null)
      context.addIssue({ code: 'custom', path: ['copies'], message: withoutStop(wrongCopies) })
    for (const name of ['portal', 'api'] as const) {
      if (config.announce === null && isWildcard(config[name].host)) {
        context.addIssue({
          code: 'custom',
          path: [name, 'host'],
          message: `${config[name].host} is every address of this host, and nobody can be sent there: say with announce, or --announce, which one others reach, as announce: 192.0.2.5`,
        })
      }
      if (config.insecure || isLoopback(config[name].host)) continue
      context.addIssue({
        code: 'custom',
        path: [name, 'host'],
        message: `${config[name].host} is beyond loopback, where anybody could connect: say --insecure, or insecure: true in the file, if that is meant`,
      })
    }
    if (Buffer.byteLength(config.peer) > SOCKET_PATH_BYTES_MAX) {
      context.addIssue({
        code: 'custom',
        path: ['peer'],
        message: `a Unix socket has a path of at most ${SOCKET_PATH_BYTES_MAX} bytes: name a shorter one`,
      })
    }
  })

export type MemberConfig = z.output<typeof memberConfig>
/** As it is written in a file: what has a default may be missing. */
export type MemberConfigFile = z.input<typeof memberConfig>

/** Sentences are put together with '; '. */
function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, '')
}
