// Mastodon's 47 OAuth scopes and which of them include others. Follows docs.joinmastodon.org/api/oauth-scopes for 4.7 (read 2026-11-21). What a
// server really knows it says itself from 4.3 on, at `/.well-known/oauth-authorization-server`.
import type { ScopeModel } from './provider.ts';

const READ = [
  'accounts',
  'blocks',
  'bookmarks',
  'collections',
  'favourites',
  'filters',
  'follows',
  'lists',
  'mutes',
  'notifications',
  'search',
  'statuses',
].map((one) => `read:${one}`);

const WRITE = [
  'accounts',
  'blocks',
  'bookmarks',
  'collections',
  'conversations',
  'favourites',
  'filters',
  'follows',
  'lists',
  'media',
  'mutes',
  'notifications',
  'reports',
  'statuses',
].map((one) => `write:${one}`);

const ADMIN = [
  'accounts',
  'canonical_email_blocks',
  'domain_allows',
  'domain_blocks',
  'email_domain_blocks',
  'ip_blocks',
  'reports',
];
const ADMIN_READ = ADMIN.map((one) => `admin:read:${one}`);
const ADMIN_WRITE = ADMIN.map((one) => `admin:write:${one}`);

/** A token has its own, which are some of its app's. There is no bare `admin`. */
export const mastodonScopes: ScopeModel = {
  of: 'key',
  all: [
    'read',
    ...READ,
    'write',
    ...WRITE,
    'profile',
    'push',
    'follow',
    'admin:read',
    ...ADMIN_READ,
    'admin:write',
    ...ADMIN_WRITE,
  ],
  includes: {
    read: READ,
    write: WRITE,
    // Deprecated since 3.5.
    follow: ['blocks', 'follows', 'mutes'].flatMap((one) => [`read:${one}`, `write:${one}`]),
    'admin:read': ADMIN_READ,
    'admin:write': ADMIN_WRITE,
  },
};
