// The commands by noun.
//
// Invariants:
//   CO1. A command pays for its own code only: it is loaded when it is asked for, with what it needs.
import type { Command } from 'commander'
import type { ContextOf, Outside } from './context.ts'

export interface Entry {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly about: string
  /** What it prints has no name, so that `-o name` is refused before anything is done. */
  readonly nameless?: true
  readonly make: (outside: Outside, contextOf: ContextOf) => Promise<Command>
}

export const COMMANDS: readonly Entry[] = [
  {
    name: 'up',
    nameless: true,
    about: 'start a whole group on this machine, and keep it running',
    make: async (outside) => (await import('./up.ts')).upCommand(outside),
  },
  {
    name: 'serve',
    nameless: true,
    about: 'run one member, from its configuration',
    make: async (outside) => (await import('./serve.ts')).serveCommand(outside),
  },
  {
    name: 'demo',
    nameless: true,
    about: 'show how a session is moved by load, in about a minute',
    make: async (outside) => (await import('./demo/demo.ts')).demoCommand(outside),
  },
  {
    name: 'volume',
    aliases: ['vol', 'volumes'],
    about: 'volumes: what initiators see as disks',
    make: async (_, contextOf) => (await import('./volume.ts')).volumeCommand(contextOf),
  },
  {
    name: 'session',
    aliases: ['sess', 'sessions'],
    about: 'sessions: who is connected, and to which member',
    make: async (_, contextOf) => (await import('./session.ts')).sessionCommand(contextOf),
  },
  {
    name: 'move',
    aliases: ['moves'],
    about: 'moves: which session went where, why, and what it cost',
    make: async (_, contextOf) => (await import('./move.ts')).moveCommand(contextOf),
  },
  {
    name: 'member',
    aliases: ['members'],
    about: 'members: the servers of the group',
    make: async (_, contextOf) => (await import('./member.ts')).memberCommand(contextOf),
  },
  {
    name: 'layout',
    nameless: true,
    about: 'which member has how much of the data, and its copies',
    make: async (_, contextOf) => (await import('./layout.ts')).layoutCommand(contextOf),
  },
  {
    name: 'balance',
    nameless: true,
    about: 'the distribution of sessions over members',
    make: async (outside, contextOf) =>
      (await import('./balance.ts')).balanceCommand(outside, contextOf),
  },
  {
    name: 'top',
    nameless: true,
    about: 'what is measured, by member and by session',
    make: async (_, contextOf) => (await import('./top.ts')).topCommand(contextOf),
  },
  {
    name: 'status',
    nameless: true,
    about: 'the health of the group, and the group at a glance',
    make: async (_, contextOf) => (await import('./status.ts')).statusCommand(contextOf),
  },
  {
    name: 'backup',
    nameless: true,
    about: 'back up what the members agree on',
    make: async (outside) => (await import('./backup.ts')).backupCommand(outside),
  },
  {
    name: 'recover',
    nameless: true,
    about: 'rebuild a lost coordination file from the folders of the members',
    make: async (outside) => (await import('./recover.ts')).recoverCommand(outside),
  },
  {
    name: 'event',
    aliases: ['events'],
    nameless: true,
    about: 'what happens in the group: members, sessions, moves, balance, problems, volumes',
    make: async (_, contextOf) => (await import('./event.ts')).eventCommand(contextOf),
  },
  {
    name: 'log',
    nameless: true,
    about: 'what the launcher and the members have logged',
    make: async (outside) => (await import('./log.ts')).logCommand(outside),
  },
  {
    name: 'support',
    nameless: true,
    about: 'pack what somebody who helps needs to see into one archive, without names of clients',
    make: async (outside, contextOf) =>
      (await import('./support/support.ts')).supportCommand(outside, contextOf),
  },
  {
    name: 'completion',
    nameless: true,
    about: 'print what makes your shell complete commands and names at Tab',
    make: async (outside) => (await import('./completion.ts')).completionCommand(outside),
  },
]
