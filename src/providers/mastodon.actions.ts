// Mastodon's operations as actions: the 210 of the API document 4.7.0, the WebSocket, and those for moderators from the pages of
// docs.joinmastodon.org/methods/admin, which that document leaves out (read 2026-11-21). Names are `resource.verb`, resources in the singular.
// The scopes are the documented ones: a text of those that are needed, all of them, or one of them where a bar stands between; empty where any
// token will do, or none. Null where the documents cannot be put that way: where it depends on the query, or where they disagree.
import type { Action } from './provider.ts';

type More = Pick<Action, 'query' | 'mints' | 'upgrade'> & { readonly effect?: Action['effect'] };
type Line = readonly [Action['method'], name: string, path: string, scopes: string | null, more?: More];

/** Where a new token, an app's secret or a code for a token is in the answer. */
const MINTS = { mints: true } as const;

const ROOT: readonly Line[] = [
  ['GET', 'oauth-metadata.get', '/.well-known/oauth-authorization-server', ''],
  ['GET', 'oembed.get', '/api/oembed', ''],
  ['GET', 'health.get', '/health', ''],
  ['GET', 'authorization.request', '/oauth/authorize', '', MINTS],
  ['POST', 'oauth-token.create', '/oauth/token', '', MINTS],
  ['POST', 'oauth-token.revoke', '/oauth/revoke', '', { effect: 'delete' }],
  ['GET', 'user-info.get', '/oauth/userinfo', 'profile'],
  ['GET', 'async-refresh.get', '/api/v1_alpha/async_refreshes/{id}', 'read'],
];

const V1: readonly Line[] = [
  ['POST', 'account.create', '/accounts', 'write:accounts', MINTS],
  ['GET', 'account.get-several', '/accounts', ''],
  ['GET', 'familiar-follower.list', '/accounts/familiar_followers', 'read:follows'],
  ['GET', 'account.look-up', '/accounts/lookup', 'read:accounts', { query: ['acct'] }],
  ['GET', 'relationship.list', '/accounts/relationships', 'read:follows'],
  ['GET', 'account.search', '/accounts/search', 'read:accounts'],
  ['PATCH', 'own-account.update', '/accounts/update_credentials', 'write:accounts'],
  ['GET', 'own-account.get', '/accounts/verify_credentials', 'profile | read:accounts'],
  ['GET', 'account-collection.list', '/accounts/{account_id}/collections', 'read:collections'],
  ['GET', 'account-collection.list-containing', '/accounts/{account_id}/in_collections', 'read:collections'],
  ['GET', 'account.get', '/accounts/{id}', ''],
  ['POST', 'account.block', '/accounts/{id}/block', 'write:blocks'],
  ['POST', 'account.unblock', '/accounts/{id}/unblock', 'write:blocks'],
  ['POST', 'account.endorse', '/accounts/{id}/endorse', 'write:accounts'],
  ['POST', 'account.unendorse', '/accounts/{id}/unendorse', 'write:accounts'],
  ['GET', 'account-endorsement.list', '/accounts/{id}/endorsements', ''],
  ['GET', 'account-featured-tag.list', '/accounts/{id}/featured_tags', ''],
  ['POST', 'account.follow', '/accounts/{id}/follow', 'write:follows'],
  ['POST', 'account.unfollow', '/accounts/{id}/unfollow', 'write:follows'],
  ['GET', 'follower.list', '/accounts/{id}/followers', ''],
  ['POST', 'follower.remove', '/accounts/{id}/remove_from_followers', 'write:follows'],
  ['GET', 'followed-account.list', '/accounts/{id}/following', ''],
  ['GET', 'identity-proof.list', '/accounts/{id}/identity_proofs', ''],
  ['GET', 'account-list.list', '/accounts/{id}/lists', 'read:lists'],
  ['POST', 'account.mute', '/accounts/{id}/mute', 'write:mutes'],
  ['POST', 'account.unmute', '/accounts/{id}/unmute', 'write:mutes'],
  ['POST', 'account-note.set', '/accounts/{id}/note', 'write:accounts'],
  ['POST', 'account.pin', '/accounts/{id}/pin', 'write:accounts'],
  ['POST', 'account.unpin', '/accounts/{id}/unpin', 'write:accounts'],
  ['GET', 'account-status.list', '/accounts/{id}/statuses', 'read:statuses'],

  ['GET', 'announcement.list', '/announcements', ''],
  ['POST', 'announcement.dismiss', '/announcements/{id}/dismiss', 'write:accounts'],
  ['PUT', 'announcement-reaction.add', '/announcements/{id}/reactions/{name}', 'write:favourites'],
  ['DELETE', 'announcement-reaction.remove', '/announcements/{id}/reactions/{name}', 'write:favourites'],
  ['GET', 'annual-report.list', '/annual_reports', 'read:accounts'],
  ['GET', 'annual-report.get', '/annual_reports/{year}', 'read:accounts'],
  ['POST', 'annual-report.generate', '/annual_reports/{year}/generate', 'write:accounts'],
  ['POST', 'annual-report.mark-read', '/annual_reports/{year}/read', 'write:accounts'],
  ['GET', 'annual-report-state.get', '/annual_reports/{year}/state', 'read:accounts'],
  ['POST', 'app.create', '/apps', '', MINTS],
  ['GET', 'own-app.get', '/apps/verify_credentials', ''],
  ['GET', 'blocked-account.list', '/blocks', 'read:blocks'],
  ['GET', 'bookmark.list', '/bookmarks', 'read:bookmarks'],

  ['POST', 'collection.create', '/collections', 'write:collections'],
  ['GET', 'collection.get', '/collections/{id}', 'read:collections'],
  ['PATCH', 'collection.update', '/collections/{id}', 'write:collections'],
  ['DELETE', 'collection.delete', '/collections/{id}', 'write:collections'],
  ['POST', 'collection-item.add', '/collections/{collection_id}/items', 'write:collections'],
  ['DELETE', 'collection-item.remove', '/collections/{collection_id}/items/{id}', 'write:collections'],
  ['POST', 'collection-item.revoke', '/collections/{collection_id}/items/{id}/revoke', 'write:collections'],
  ['GET', 'conversation.list', '/conversations', 'read:statuses'],
  ['DELETE', 'conversation.delete', '/conversations/{id}', 'write:conversations'],
  ['POST', 'conversation.mark-read', '/conversations/{id}/read', 'write:conversations'],
  ['GET', 'custom-emoji.list', '/custom_emojis', ''],
  ['GET', 'directory.list', '/directory', ''],
  // Here and below, `follow` alone would do too: it includes the scope that is named.
  ['GET', 'blocked-domain.list', '/domain_blocks', 'read:blocks'],
  ['POST', 'blocked-domain.add', '/domain_blocks', 'write:blocks'],
  ['DELETE', 'blocked-domain.remove', '/domain_blocks', 'write:blocks'],
  ['POST', 'email-confirmation.send', '/emails/confirmations', ''],
  ['GET', 'endorsement.list', '/endorsements', 'read:accounts'],
  ['GET', 'favourite.list', '/favourites', 'read:favourites'],
  ['GET', 'featured-tag.list', '/featured_tags', 'read:accounts'],
  ['POST', 'featured-tag.create', '/featured_tags', 'write:accounts'],
  ['DELETE', 'featured-tag.delete', '/featured_tags/{id}', 'write:accounts'],
  ['GET', 'featured-tag-suggestion.list', '/featured_tags/suggestions', 'read:accounts'],
  ['GET', 'filter-v1.list', '/filters', 'read:filters'],
  ['POST', 'filter-v1.create', '/filters', 'write:filters'],
  ['GET', 'filter-v1.get', '/filters/{id}', 'read:filters'],
  ['PUT', 'filter-v1.update', '/filters/{id}', 'write:filters'],
  ['DELETE', 'filter-v1.delete', '/filters/{id}', 'write:filters'],
  ['GET', 'follow-request.list', '/follow_requests', 'read:follows'],
  ['POST', 'follow-request.authorize', '/follow_requests/{account_id}/authorize', 'write:follows'],
  ['POST', 'follow-request.reject', '/follow_requests/{account_id}/reject', 'write:follows'],
  ['GET', 'followed-tag.list', '/followed_tags', 'read:follows'],

  ['GET', 'instance-v1.get', '/instance', ''],
  ['GET', 'instance-activity.get', '/instance/activity', ''],
  ['GET', 'instance-domain-block.list', '/instance/domain_blocks', ''],
  ['GET', 'instance-description.get', '/instance/extended_description', ''],
  ['GET', 'instance-peer.list', '/instance/peers', ''],
  ['GET', 'privacy-policy.get', '/instance/privacy_policy', ''],
  ['GET', 'instance-rule.list', '/instance/rules', ''],
  ['GET', 'terms-of-service.get', '/instance/terms_of_service', ''],
  ['GET', 'terms-of-service.get-dated', '/instance/terms_of_service/{date}', ''],
  ['GET', 'translation-language.list', '/instance/translation_languages', ''],

  ['GET', 'list.list', '/lists', 'read:lists'],
  ['POST', 'list.create', '/lists', 'write:lists'],
  ['GET', 'list.get', '/lists/{id}', 'read:lists'],
  ['PUT', 'list.update', '/lists/{id}', 'write:lists'],
  ['DELETE', 'list.delete', '/lists/{id}', 'write:lists'],
  ['GET', 'list-account.list', '/lists/{id}/accounts', 'read:lists'],
  ['POST', 'list-account.add', '/lists/{id}/accounts', 'write:lists'],
  ['DELETE', 'list-account.remove', '/lists/{id}/accounts', 'write:lists'],
  ['GET', 'marker.list', '/markers', 'read:statuses'],
  ['POST', 'marker.save', '/markers', 'write:statuses'],
  ['POST', 'media-v1.upload', '/media', 'write:media'],
  ['GET', 'media.get', '/media/{id}', 'write:media'],
  ['PUT', 'media.update', '/media/{id}', 'write:media'],
  ['DELETE', 'media.delete', '/media/{id}', 'write:media'],
  ['GET', 'muted-account.list', '/mutes', 'read:mutes'],

  ['GET', 'notification.list', '/notifications', 'read:notifications'],
  ['GET', 'notification.get', '/notifications/{id}', 'read:notifications'],
  ['POST', 'notification.dismiss', '/notifications/{id}/dismiss', 'write:notifications'],
  ['POST', 'notification.clear', '/notifications/clear', 'write:notifications'],
  ['GET', 'notification.count-unread', '/notifications/unread_count', 'read:notifications'],
  ['GET', 'notification-request.list', '/notifications/requests', 'read:notifications'],
  ['GET', 'notification-request.get', '/notifications/requests/{id}', 'read:notifications'],
  ['POST', 'notification-request.accept', '/notifications/requests/{id}/accept', 'write:notifications'],
  ['POST', 'notification-request.dismiss', '/notifications/requests/{id}/dismiss', 'write:notifications'],
  ['POST', 'notification-request.accept-several', '/notifications/requests/accept', 'write:notifications'],
  ['POST', 'notification-request.dismiss-several', '/notifications/requests/dismiss', 'write:notifications'],
  ['GET', 'notification-request.get-merged', '/notifications/requests/merged', 'read:notifications'],

  ['GET', 'poll.get', '/polls/{id}', 'read:statuses'],
  ['POST', 'poll.vote', '/polls/{id}/votes', 'write:statuses'],
  ['GET', 'preference.list', '/preferences', 'read:accounts'],
  ['GET', 'profile.get', '/profile', 'profile | read:accounts'],
  ['PATCH', 'profile.update', '/profile', 'write:accounts'],
  ['DELETE', 'profile-avatar.delete', '/profile/avatar', 'write:accounts'],
  ['DELETE', 'profile-header.delete', '/profile/header', 'write:accounts'],
  ['POST', 'push-subscription.create', '/push/subscription', 'push'],
  ['GET', 'push-subscription.get', '/push/subscription', 'push'],
  ['PUT', 'push-subscription.update', '/push/subscription', 'push'],
  ['DELETE', 'push-subscription.delete', '/push/subscription', 'push'],
  ['POST', 'report.create', '/reports', 'write:reports'],
  ['GET', 'scheduled-status.list', '/scheduled_statuses', 'read:statuses'],
  ['GET', 'scheduled-status.get', '/scheduled_statuses/{id}', 'read:statuses'],
  ['PUT', 'scheduled-status.update', '/scheduled_statuses/{id}', 'write:statuses'],
  ['DELETE', 'scheduled-status.delete', '/scheduled_statuses/{id}', 'write:statuses'],

  ['POST', 'status.create', '/statuses', 'write:statuses'],
  ['GET', 'status.get-several', '/statuses', 'read:statuses'],
  ['GET', 'status.get', '/statuses/{id}', 'read:statuses'],
  ['PUT', 'status.update', '/statuses/{id}', 'write:statuses'],
  ['DELETE', 'status.delete', '/statuses/{id}', 'write:statuses'],
  ['POST', 'status.bookmark', '/statuses/{id}/bookmark', 'write:bookmarks'],
  ['POST', 'status.unbookmark', '/statuses/{id}/unbookmark', 'write:bookmarks'],
  ['GET', 'status-context.get', '/statuses/{id}/context', 'read:statuses'],
  ['POST', 'status.favourite', '/statuses/{id}/favourite', 'write:favourites'],
  ['POST', 'status.unfavourite', '/statuses/{id}/unfavourite', 'write:favourites'],
  ['GET', 'status-favourite.list', '/statuses/{id}/favourited_by', 'read:statuses'],
  ['GET', 'status-history.get', '/statuses/{id}/history', 'read:statuses'],
  ['PUT', 'status-interaction-policy.update', '/statuses/{id}/interaction_policy', 'write:statuses'],
  ['POST', 'status.mute', '/statuses/{id}/mute', 'write:mutes'],
  ['POST', 'status.unmute', '/statuses/{id}/unmute', 'write:mutes'],
  ['POST', 'status.pin', '/statuses/{id}/pin', 'write:accounts'],
  ['POST', 'status.unpin', '/statuses/{id}/unpin', 'write:accounts'],
  ['GET', 'status-quote.list', '/statuses/{id}/quotes', 'read:statuses'],
  ['POST', 'status-quote.revoke', '/statuses/{id}/quotes/{quoting_status_id}/revoke', 'write:statuses'],
  ['POST', 'status.reblog', '/statuses/{id}/reblog', 'write:statuses'],
  ['POST', 'status.unreblog', '/statuses/{id}/unreblog', 'write:statuses'],
  ['GET', 'status-reblog.list', '/statuses/{id}/reblogged_by', 'read:statuses'],
  ['GET', 'status-source.get', '/statuses/{id}/source', 'read:statuses'],
  ['POST', 'status.translate', '/statuses/{id}/translate', 'read:statuses'],

  // One connection for all streams, whatever its query names: a client asks for more of them in its frames. So nothing of the query can be
  // constrained, and which scopes it needs depends on the streams.
  ['GET', 'stream.connect', '/streaming', null, { upgrade: 'websocket' }],
  // As Mastodon's own pages open it (from memory): with a slash it is another path.
  ['GET', 'stream.connect-with-slash', '/streaming/', null, { upgrade: 'websocket' }],
  // Server-sent events.
  ['GET', 'stream-health.get', '/streaming/health', ''],
  ['GET', 'user-stream.read', '/streaming/user', 'read:statuses read:notifications'],
  ['GET', 'notification-stream.read', '/streaming/user/notification', 'read:statuses read:notifications'],
  ['GET', 'public-stream.read', '/streaming/public', 'read:statuses'],
  ['GET', 'local-public-stream.read', '/streaming/public/local', 'read:statuses'],
  ['GET', 'remote-public-stream.read', '/streaming/public/remote', 'read:statuses'],
  ['GET', 'hashtag-stream.read', '/streaming/hashtag', 'read:statuses', { query: ['tag'] }],
  ['GET', 'local-hashtag-stream.read', '/streaming/hashtag/local', 'read:statuses', { query: ['tag'] }],
  ['GET', 'list-stream.read', '/streaming/list', 'read:statuses', { query: ['list'] }],
  ['GET', 'direct-stream.read', '/streaming/direct', 'read:statuses'],

  ['GET', 'suggestion-v1.list', '/suggestions', 'read'],
  ['DELETE', 'suggestion.delete', '/suggestions/{account_id}', 'read'],
  ['GET', 'tag.get', '/tags/{name}', ''],
  ['POST', 'tag.follow', '/tags/{name}/follow', 'write:follows'],
  ['POST', 'tag.unfollow', '/tags/{name}/unfollow', 'write:follows'],
  ['POST', 'tag.feature', '/tags/{id}/feature', 'write:accounts'],
  ['POST', 'tag.unfeature', '/tags/{id}/unfeature', 'write:accounts'],
  ['GET', 'direct-timeline.list', '/timelines/direct', 'read:statuses'],
  ['GET', 'home-timeline.list', '/timelines/home', 'read:statuses'],
  ['GET', 'link-timeline.list', '/timelines/link', 'read:statuses', { query: ['url'] }],
  ['GET', 'list-timeline.list', '/timelines/list/{list_id}', 'read:lists'],
  ['GET', 'public-timeline.list', '/timelines/public', 'read:statuses'],
  ['GET', 'hashtag-timeline.list', '/timelines/tag/{hashtag}', 'read:statuses'],
  ['GET', 'trending-link.list', '/trends/links', ''],
  ['GET', 'trending-status.list', '/trends/statuses', ''],
  ['GET', 'trending-tag.list', '/trends/tags', ''],
];

const V2: readonly Line[] = [
  ['GET', 'filter.list', '/filters', 'read:filters'],
  ['POST', 'filter.create', '/filters', 'write:filters'],
  ['GET', 'filter.get', '/filters/{id}', 'read:filters'],
  ['PUT', 'filter.update', '/filters/{id}', 'write:filters'],
  ['DELETE', 'filter.delete', '/filters/{id}', 'write:filters'],
  ['GET', 'filter-keyword.list', '/filters/{filter_id}/keywords', 'read:filters'],
  ['POST', 'filter-keyword.create', '/filters/{filter_id}/keywords', 'write:filters'],
  ['GET', 'filter-keyword.get', '/filters/keywords/{id}', 'read:filters'],
  ['PUT', 'filter-keyword.update', '/filters/keywords/{id}', 'write:filters'],
  ['DELETE', 'filter-keyword.delete', '/filters/keywords/{id}', 'write:filters'],
  ['GET', 'filter-status.list', '/filters/{filter_id}/statuses', 'read:filters'],
  ['POST', 'filter-status.create', '/filters/{filter_id}/statuses', 'write:filters'],
  ['GET', 'filter-status.get', '/filters/statuses/{id}', 'read:filters'],
  ['DELETE', 'filter-status.delete', '/filters/statuses/{id}', 'write:filters'],
  ['GET', 'instance.get', '/instance', ''],
  ['POST', 'media.upload', '/media', 'write:media'],
  ['GET', 'notification-group.list', '/notifications', 'read:notifications'],
  ['GET', 'notification-group.get', '/notifications/{group_key}', 'read:notifications'],
  ['POST', 'notification-group.dismiss', '/notifications/{group_key}/dismiss', 'write:notifications'],
  ['GET', 'notification-group.count-unread', '/notifications/unread_count', 'read:notifications'],
  // As documented: reading them asks for the scope to write.
  ['GET', 'notification-group-account.list', '/notifications/{group_key}/accounts', 'write:notifications'],
  ['GET', 'notification-policy.get', '/notifications/policy', 'read:notifications'],
  ['PATCH', 'notification-policy.update', '/notifications/policy', 'write:notifications'],
  ['GET', 'search.run', '/search', 'read:search', { query: ['type'] }],
  ['GET', 'suggestion.list', '/suggestions', 'read'],
];

/** Each needs a permission of the user's role besides. */
const ADMIN: readonly Line[] = [
  ['GET', 'admin-account-v1.list', '/v1/admin/accounts', 'admin:read:accounts'],
  ['GET', 'admin-account.list', '/v2/admin/accounts', 'admin:read:accounts'],
  ['GET', 'admin-account.get', '/v1/admin/accounts/{id}', 'admin:read:accounts'],
  ['DELETE', 'admin-account.delete', '/v1/admin/accounts/{id}', 'admin:write:accounts'],
  ...['approve', 'reject', 'action', 'enable', 'unsilence', 'unsuspend', 'unsensitive'].map(
    (verb) => ['POST', `admin-account.${verb}`, `/v1/admin/accounts/{id}/${verb}`, 'admin:write:accounts'] as const,
  ),
  ...blocks('admin-canonical-email-block', 'canonical_email_blocks'),
  [
    'POST',
    'admin-canonical-email-block.test',
    '/v1/admin/canonical_email_blocks/test',
    'admin:read:canonical_email_blocks',
  ],
  ...blocks('admin-domain-allow', 'domain_allows'),
  ...blocks('admin-domain-block', 'domain_blocks'),
  ['PUT', 'admin-domain-block.update', '/v1/admin/domain_blocks/{id}', 'admin:write:domain_blocks'],
  ...blocks('admin-email-domain-block', 'email_domain_blocks'),
  // The page asks `admin:write:domain_blocks` for the delete, and every other one of its own: a slip, or not.
  ...blocks('admin-ip-block', 'ip_blocks').map((line) => (line[0] === 'DELETE' ? withoutScopes(line) : line)),
  ['PUT', 'admin-ip-block.update', '/v1/admin/ip_blocks/{id}', 'admin:write:ip_blocks'],
  ['POST', 'admin-dimension.compute', '/v1/admin/dimensions', 'admin:read'],
  ['POST', 'admin-measure.compute', '/v1/admin/measures', 'admin:read'],
  ['POST', 'admin-retention.compute', '/v1/admin/retention', 'admin:read'],
  ['GET', 'admin-report.list', '/v1/admin/reports', 'admin:read:reports'],
  ['GET', 'admin-report.get', '/v1/admin/reports/{id}', 'admin:read:reports'],
  ['PUT', 'admin-report.update', '/v1/admin/reports/{id}', 'admin:write:reports'],
  ['POST', 'admin-report.assign-to-self', '/v1/admin/reports/{id}/assign_to_self', 'admin:write:reports'],
  ['POST', 'admin-report.unassign', '/v1/admin/reports/{id}/unassign', 'admin:write:reports'],
  ['POST', 'admin-report.resolve', '/v1/admin/reports/{id}/resolve', 'admin:write:reports'],
  ['POST', 'admin-report.reopen', '/v1/admin/reports/{id}/reopen', 'admin:write:reports'],
  ['GET', 'admin-trending-link.list', '/v1/admin/trends/links', 'admin:read'],
  ['GET', 'admin-trending-status.list', '/v1/admin/trends/statuses', 'admin:read'],
  ['GET', 'admin-trending-tag.list', '/v1/admin/trends/tags', 'admin:read'],
];

/** What every list of blocks, or of what is allowed, has. */
function blocks(name: string, path: string): Line[] {
  return [
    ['GET', `${name}.list`, `/v1/admin/${path}`, `admin:read:${path}`],
    ['POST', `${name}.create`, `/v1/admin/${path}`, `admin:write:${path}`],
    ['GET', `${name}.get`, `/v1/admin/${path}/{id}`, `admin:read:${path}`],
    ['DELETE', `${name}.delete`, `/v1/admin/${path}/{id}`, `admin:write:${path}`],
  ];
}

function withoutScopes([method, name, path]: Line): Line {
  return [method, name, path, null];
}

const EFFECTS: Readonly<Record<string, Action['effect']>> = { GET: 'read', DELETE: 'delete' };

/** What a line says of scopes, as an action says it. */
function scopesOf(text: string | null): Pick<Action, 'scopes' | 'scopesAnyOf'> {
  if (text === null) return {};
  if (text.includes(' | ')) return { scopes: [], scopesAnyOf: text.split(' | ') };
  return { scopes: text.split(' ').filter((one) => one !== '') };
}

function below(prefix: string, lines: readonly Line[]): Action[] {
  return lines.map(([method, name, path, scopes, more]) => ({
    name,
    method,
    path: prefix + path,
    effect: EFFECTS[method] ?? 'write',
    ...scopesOf(scopes),
    ...more,
  }));
}

export const mastodonActions: readonly Action[] = [
  ...below('', ROOT),
  ...below('/api/v1', V1),
  ...below('/api/v2', V2),
  ...below('/api', ADMIN),
];
