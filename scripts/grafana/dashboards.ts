// The dashboards of deploy/grafana: the group at a glance, a member, the volumes, and the moves.

import {
  good,
  load,
  MEMBER,
  moved,
  number,
  of,
  problems,
  quantiles,
  rate,
  sessions,
  states,
  sumRate,
  VOLUME,
} from './asked-alike.ts'
import type { Dashboard } from './panels.ts'

export const dashboards: readonly Dashboard[] = [
  {
    ...{ uid: 'evenkeel-group', title: 'Evenkeel: group', chosen: null },
    about: 'The group at a glance: what is wrong, who is hot, what moved.',
    rows: [
      {
        ...{ title: 'Now', height: 4 },
        panels: [
          {
            ...number(
              'Problems',
              'Health codes that are told now.',
              `count(max by (code, subject) (evenkeel_problem${of()})) or vector(0)`,
            ),
            warn: [1, 3],
          },
          number(
            'Members that answer',
            'As the others see them, and as Prometheus does.',
            `count(max by (member) (evenkeel_build_info${of()}))`,
          ),
          {
            ...number(
              'Coordination',
              'Whether the coordination file answers all members.',
              `min(evenkeel_coordination_up${of()})`,
              '',
            ),
            names: good,
          },
          {
            ...number(
              'Balance',
              'off: no session is moved by load; advise: it is only said.',
              `max(evenkeel_balance_mode${of('mode="on"')}) + 2 * max(evenkeel_balance_mode${of('mode="advise"')})`,
              '',
            ),
            names: { '1': ['on', 'green'], '2': ['advise', 'orange'], '0': ['off', 'orange'] },
          },
          number('Sessions', 'Of all members.', `sum(evenkeel_sessions${of()})`),
          number(
            'Volumes',
            'What initiators see. Volumes are thin: it may be more than there is room for.',
            `sum(evenkeel_volume_size_bytes${of()})`,
            'bytes',
          ),
        ],
      },
      { title: 'Balance', height: 9, panels: [load, moved] },
      {
        ...{ title: 'Health', height: 8 },
        panels: [problems, states],
      },
      {
        ...{ title: 'Copies', height: 8 },
        panels: [
          {
            ...{ title: 'Copies of slices', kind: 'lines', unit: 'short' },
            about:
              'degraded: fewer copies than wanted; last_copy: one; unavailable: I/O to them waits.',
            queries: [[`sum by (state) (evenkeel_slices${of()})`, '{{state}}']],
          },
          {
            ...{ title: 'Copies that are missing', kind: 'lines', unit: 'short' },
            about:
              'Slices whose copy at that member is not in sync: while it is up it is made again.',
            queries: [[`sum by (at) (evenkeel_copies_missing${of()})`, 'at {{at}}']],
          },
          {
            ...{ title: 'Slices that changed', kind: 'lines', unit: 'short' },
            about:
              'In five minutes: taken over from a member that was silent, handed over to whose they are to be, copies that left and that came back in sync.',
            queries: [
              [`sum by (change) (increase(evenkeel_slice_changes_total${of()}[5m]))`, '{{change}}'],
            ],
          },
          {
            ...{ title: 'Age of the last whole scrubbing', kind: 'lines', unit: 's' },
            about: 'Since when every block of a member has been read against its checksum.',
            queries: [[`max by (member) (evenkeel_scrub_age_seconds${of()})`, '{{member}}']],
          },
        ],
      },
      {
        ...{ title: 'Work', height: 8 },
        panels: [
          {
            ...{ title: 'Commands by member', about: 'Of its sessions, with GOOD.', kind: 'lines' },
            unit: 'iops',
            queries: [[sumRate('member', 'evenkeel_volume_io_total'), '{{member}}']],
          },
          {
            ...{ title: 'Bytes by member', about: 'Read and written.', kind: 'lines' },
            unit: 'Bps',
            queries: [[sumRate('member', 'evenkeel_volume_io_bytes_total'), '{{member}}']],
          },
          {
            ...{ title: 'Latency', about: 'From first byte to response.', kind: 'lines' },
            unit: 's',
            queries: quantiles(
              'evenkeel_io_duration_seconds',
              ['op'],
              'op=~"read|write"',
              '{{op}}',
            ),
          },
        ],
      },
      {
        ...{ title: 'Room', height: 8 },
        panels: [
          {
            ...{ title: 'Disks in use', kind: 'lines', unit: 'percentunit', most: 1 },
            about: 'Beyond 100 % writes of new blocks are refused.',
            warn: [0.8, 0.9],
            queries: [
              [
                `evenkeel_store_used_bytes${of()} / (evenkeel_store_used_bytes${of()} + evenkeel_store_free_bytes${of()})`,
                '{{member}}',
              ],
            ],
          },
          {
            ...{ title: 'Errors', kind: 'lines', unit: 'cps' },
            about: '7/27/07: no room; 3/11/00: a block that cannot be read; 5/…: refused requests.',
            queries: [
              [
                `${sumRate('status, sense', 'evenkeel_volume_io_errors_total')} > 0`,
                '{{status}} {{sense}}',
              ],
            ],
          },
        ],
      },
    ],
  },
  {
    ...{ uid: 'evenkeel-member', title: 'Evenkeel: member', chosen: 'member' },
    about: 'One member, or several beside each other.',
    rows: [
      {
        ...{ title: 'Load', height: 8 },
        panels: [
          {
            ...load,
            queries: [[`evenkeel_member_load_ratio${of(MEMBER)}`, '{{member}} {{resource}}']],
          },
          {
            ...{ title: 'CPU', kind: 'lines', unit: 'percentunit' },
            about: 'Of its host, by anybody, and of its event loop: near 100 % it is saturated.',
            queries: [
              [`evenkeel_host_cpu_ratio${of(MEMBER)}`, '{{member}} host'],
              [`evenkeel_event_loop_utilisation_ratio${of(MEMBER)}`, '{{member}} event loop'],
            ],
          },
          {
            ...{ title: 'Memory', about: 'Resident, and of it the cache.', kind: 'lines' },
            unit: 'bytes',
            queries: [
              [
                `process_resident_memory_bytes${of()} * on (job, instance) group_left (member) evenkeel_build_info${of(MEMBER)}`,
                '{{member}}',
              ],
              [`evenkeel_cache_bytes${of(MEMBER)}`, '{{member}} cache'],
            ],
          },
        ],
      },
      {
        ...{ title: 'Commands of its sessions', height: 8 },
        panels: [
          {
            ...{ title: 'Commands', about: 'By what they were.', kind: 'lines', unit: 'iops' },
            queries: [
              [sumRate('member, op', 'evenkeel_volume_io_total', MEMBER), '{{member}} {{op}}'],
            ],
          },
          {
            ...{ title: 'Latency', about: 'From first byte to response.', kind: 'lines' },
            unit: 's',
            queries: quantiles(
              'evenkeel_io_duration_seconds',
              ['member', 'op'],
              `${MEMBER}, op=~"read|write"`,
              '{{member}} {{op}}',
            ),
          },
          {
            ...{ title: 'Pieces sent to other members', kind: 'lines', unit: 'cps' },
            about:
              'To the primary of their slice: the work of a session that is not where its pages are.',
            queries: [
              [
                sumRate('member, to', 'evenkeel_forwarded_pieces_total', MEMBER),
                '{{member}} → {{to}}',
              ],
            ],
          },
        ],
      },
      {
        ...{ title: 'Disk and coordination', height: 8 },
        panels: [
          {
            ...{ title: 'Journal', kind: 'lines', unit: 's', warn: [0.05, 0.2] },
            about:
              'What the disk takes to make a batch of writes durable. From 0.2 s on it is SLOW_DISK.',
            queries: quantiles(
              'evenkeel_journal_commit_duration_seconds',
              ['member'],
              MEMBER,
              '{{member}}',
            ),
          },
          {
            ...{ title: 'Journal queue', about: 'Changes that wait for it.', kind: 'lines' },
            unit: 'short',
            queries: [[`evenkeel_journal_queue${of(MEMBER)}`, '{{member}}']],
          },
          {
            ...{ title: 'Coordination file', kind: 'lines', unit: 's', warn: [0.1, 0.5] },
            about: 'How long it takes to answer. I/O does not need it; logins and moves do.',
            queries: quantiles(
              'evenkeel_coordination_duration_seconds',
              ['member', 'ask'],
              MEMBER,
              '{{member}} {{ask}}',
            ),
          },
          {
            ...{ title: 'Reads from memory', kind: 'lines', unit: 'percentunit', most: 1 },
            about:
              'Share of the blocks that were read. Low, though the same is read often: give --cache more.',
            queries: [
              [
                `${rate('evenkeel_cache_hits_total', MEMBER)} / (${rate('evenkeel_cache_hits_total', MEMBER)} + ${rate('evenkeel_cache_misses_total', MEMBER)})`,
                '{{member}}',
              ],
            ],
          },
        ],
      },
      {
        ...{ title: 'What is stored', height: 8 },
        panels: [
          {
            ...{ title: 'Pages', about: 'Stored on the member.', kind: 'lines', unit: 'short' },
            queries: [[`evenkeel_pages${of(MEMBER)}`, '{{member}}']],
          },
          {
            ...{ title: 'Scrubbing', kind: 'lines', unit: 'percentunit', most: 1 },
            about: 'How far the pass is in which every block is read against its checksum.',
            queries: [[`evenkeel_scrub_done_ratio${of(MEMBER)}`, '{{member}}']],
          },
          {
            ...{ title: 'Damaged pages', kind: 'lines', unit: 'short', warn: [1, 2] },
            about: 'Found by reads since the start, and by the pass of scrubbing under way.',
            queries: [
              [`evenkeel_store_damaged_pages${of(MEMBER)}`, '{{member}} reads'],
              [`evenkeel_scrub_bad_pages${of(MEMBER)}`, '{{member}} scrubbing'],
            ],
          },
          {
            ...{ title: 'Event-loop delay', kind: 'lines', unit: 's', warn: [0.02, 0.1] },
            about: 'By how much its timers come late: what every command waits for at least.',
            queries: [[`evenkeel_event_loop_delay_seconds${of(MEMBER)}`, '{{member}}']],
          },
        ],
      },
      {
        ...{ title: 'Connections and starts', height: 8 },
        panels: [
          { ...sessions, queries: [[`evenkeel_sessions${of(MEMBER)}`, '{{member}}']] },
          {
            ...{ title: 'Logins', about: 'Taken, and sent elsewhere.', kind: 'lines', unit: 'cps' },
            queries: [
              [rate('evenkeel_logins_total', MEMBER), '{{member}} taken'],
              [rate('evenkeel_login_redirects_total', MEMBER), '{{member}} redirected'],
              [rate('evenkeel_login_barriers_total', MEMBER), '{{member}} barriers'],
            ],
          },
          {
            ...{ title: 'Network', about: 'All its sockets.', kind: 'lines', unit: 'Bps' },
            queries: [[rate('evenkeel_network_bytes_total', MEMBER), '{{member}} {{direction}}']],
          },
          {
            ...{ title: 'Restarts', kind: 'lines', unit: 'short' },
            about: 'As the other members have seen them. See its log for why it ended.',
            queries: [
              [
                `max by (member) (increase(evenkeel_member_restarts_total${of(MEMBER)}[$__range]))`,
                '{{member}}',
              ],
            ],
          },
        ],
      },
    ],
  },
  {
    ...{ uid: 'evenkeel-volumes', title: 'Evenkeel: volumes', chosen: 'volume' },
    about: 'What is done to which volume, and what it takes. "(rest)" is all but the 100 oldest.',
    rows: [
      {
        ...{ title: 'Work', height: 9 },
        panels: [
          {
            ...{ title: 'Commands', about: 'With GOOD.', kind: 'lines', unit: 'iops' },
            queries: [[sumRate('volume', 'evenkeel_volume_io_total', VOLUME), '{{volume}}']],
          },
          {
            ...{ title: 'Bytes', about: 'Read and written.', kind: 'lines', unit: 'Bps' },
            queries: [
              [
                sumRate('volume, op', 'evenkeel_volume_io_bytes_total', VOLUME),
                '{{volume}} {{op}}',
              ],
            ],
          },
          {
            ...{ title: 'Latency', about: 'From first byte to response.', kind: 'lines' },
            unit: 's',
            queries: quantiles(
              'evenkeel_io_duration_seconds',
              ['volume', 'op'],
              `${VOLUME}, op=~"read|write"`,
              '{{volume}} {{op}}',
            ),
          },
        ],
      },
      {
        ...{ title: 'Errors', height: 8 },
        panels: [
          {
            ...{ title: 'Errors by status and sense', kind: 'lines', unit: 'cps' },
            about:
              '7/27/07: no room; 3/11/00: a block that cannot be read; e/1d/00: COMPARE AND WRITE found something else.',
            queries: [
              [
                `${sumRate('volume, status, sense', 'evenkeel_volume_io_errors_total', VOLUME)} > 0`,
                '{{volume}} {{status}} {{sense}}',
              ],
            ],
          },
          {
            ...{ title: 'Errors in the time shown', about: 'The most first.', kind: 'table' },
            unit: 'short',
            queries: [
              [
                `sort_desc(sum by (volume, status, sense) (increase(evenkeel_volume_io_errors_total${of(VOLUME)}[$__range])) > 0)`,
                '',
              ],
            ],
          },
        ],
      },
      {
        ...{ title: 'Room', height: 8 },
        panels: [
          {
            ...{ title: 'Size', about: 'As initiators see it.', kind: 'lines', unit: 'bytes' },
            queries: [[`sum by (volume) (evenkeel_volume_size_bytes${of(VOLUME)})`, '{{volume}}']],
          },
          {
            ...{ title: 'Written', about: 'Blocks that were written.', kind: 'lines' },
            unit: 'bytes',
            queries: [[`sum by (volume) (evenkeel_volume_held_bytes${of(VOLUME)})`, '{{volume}}']],
          },
          {
            ...{ title: 'Taken of the disks', about: 'By member.', kind: 'lines', unit: 'bytes' },
            queries: [
              [
                `sum by (volume, member) (evenkeel_volume_taken_bytes${of(VOLUME)})`,
                '{{volume}} {{member}}',
              ],
            ],
          },
        ],
      },
    ],
  },
  {
    ...{ uid: 'evenkeel-moves', title: 'Evenkeel: moves', chosen: null },
    about:
      'What moved, from where to where, who wanted it, what it cost and whether it brought what was foretold.',
    rows: [
      { title: 'What moved', height: 9, panels: [load, sessions] },
      {
        ...{ title: 'Why', height: 9 },
        panels: [
          moved,
          {
            ...{ title: 'Moves in the time shown', kind: 'table', unit: 'short' },
            about: '`evenkeel move list` and `move show` tell each with its reason.',
            queries: [
              [
                `sort_desc(round(sum by (from, to, reason, result) (increase(evenkeel_session_moves_total${of()}[$__range]))) > 0)`,
                '',
              ],
            ],
          },
        ],
      },
      {
        ...{ title: 'What it cost', height: 8 },
        panels: [
          {
            ...{ title: 'Pause', kind: 'lines', unit: 's' },
            about: 'From the last response at the old member to the first at the new.',
            queries: quantiles('evenkeel_session_move_duration_seconds', [], '', ''),
          },
          {
            ...{ title: 'Drain', kind: 'lines', unit: 's' },
            about: 'From the frozen window to nothing outstanding.',
            queries: quantiles('evenkeel_session_drain_duration_seconds', [], '', ''),
          },
          {
            ...{ title: 'Moves that did not arrive', kind: 'bars', unit: 'short' },
            about:
              'abandoned: given up, nothing was stopped; reclaimed: taken back; expired: its initiator did not come.',
            queries: [
              [
                `sum by (from, to, result) (increase(evenkeel_session_moves_total${of('result!="returned"')}[$__rate_interval])) > 0`,
                '{{from}} → {{to}} {{result}}',
              ],
            ],
          },
        ],
      },
      {
        ...{ title: 'Whether it was right', height: 8 },
        panels: [
          {
            ...{ title: 'Brought, of what was predicted', kind: 'lines', unit: 'short' },
            about: 'That of the middle one of the last moves; 1 while too few are known.',
            queries: [[`max(evenkeel_move_prediction_ratio${of()})`, 'brought']],
          },
          {
            ...{ title: 'Caution', kind: 'lines', unit: 'short', warn: [2, 5] },
            about: 'By which the price of a move is multiplied since predictions were off.',
            queries: [[`max(evenkeel_move_caution_ratio${of()})`, 'caution']],
          },
          {
            ...{ title: 'Logins sent elsewhere', kind: 'lines', unit: 'cps' },
            about: 'By a move, or since the load was lower there.',
            queries: [[sumRate('member', 'evenkeel_login_redirects_total'), '{{member}}']],
          },
        ],
      },
    ],
  },
]
