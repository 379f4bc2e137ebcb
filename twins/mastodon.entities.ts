// What the twin of Mastodon and GoToSocial shows of an account, of a status and of itself: the smallest entities that each server's document
// allows.
import type { Json } from '../src/model/json.ts';

type Dialect = 'mastodon' | 'gotosocial';

/** The account of a user, as `verify_credentials` shows it. `id` is its id, and its name too. */
export function accountOf(id: string, dialect: Dialect): Json {
  const source = { privacy: 'public', sensitive: false, note: '', fields: [], follow_requests_count: 0 };
  const role = { id: '-99', name: '', color: '', permissions: '0', highlighted: false };
  const account = { ...publicAccountOf(id, dialect), role };
  return { ...account, source: dialect === 'gotosocial' ? source : { ...source, indexable: false } };
}

/** The same as everybody sees it. */
function publicAccountOf(id: string, dialect: Dialect): Readonly<Record<string, Json>> {
  const picture = 'https://mastodon.example/missing.png';
  const account = {
    id,
    username: `user-${id}`,
    acct: `user-${id}`,
    display_name: '',
    locked: false,
    bot: false,
    created_at: '2026-11-21T00:00:00.000Z',
    note: '',
    url: `https://mastodon.example/@user-${id}`,
    avatar: picture,
    avatar_static: picture,
    header: picture,
    header_static: picture,
    followers_count: 0,
    following_count: 0,
    statuses_count: 0,
    emojis: [],
    fields: [],
    group: false,
  };
  if (dialect === 'gotosocial') return account;
  return { ...account, uri: `https://mastodon.example/users/user-${id}`, indexable: false };
}

export interface KeptStatus {
  /** Digits; the higher, the newer. */
  readonly id: string;
  readonly account: string;
  readonly text: string;
  /** UTC milliseconds. */
  readonly at: number;
}

/** A public status without anything attached. */
export function statusOf({ id, account, text, at }: KeptStatus, dialect: Dialect): Json {
  const address = `https://mastodon.example/@user-${account}/${id}`;
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return {
    id,
    account: publicAccountOf(account, dialect),
    content: `<p>${escaped}</p>`,
    created_at: new Date(at).toISOString(),
    emojis: [],
    favourites_count: 0,
    in_reply_to_account_id: null,
    in_reply_to_id: null,
    language: null,
    media_attachments: [],
    mentions: [],
    poll: null,
    reblog: null,
    reblogs_count: 0,
    replies_count: 0,
    sensitive: false,
    spoiler_text: '',
    tags: [],
    uri: address,
    url: address,
    visibility: 'public',
  };
}

/** What the server says that it is (NodeInfo 2.0). */
export function nodeinfoOf(dialect: Dialect): Json {
  return {
    version: '2.0',
    software: { name: dialect, version: dialect === 'mastodon' ? '4.7.0' : '0.20.0' },
    protocols: ['activitypub'],
    services: { inbound: [], outbound: [] },
    usage: { users: { total: 1, activeMonth: 1, activeHalfYear: 1 }, localPosts: 0 },
    openRegistrations: false,
    metadata: {},
  };
}
