// What Prefect Cloud has beside its workspaces: accounts and who belongs to them, service accounts and their keys, the caller's own profile,
// users, billing. Follows Prefect Cloud's OpenAPI document, API 0.8.4 (read 2026-11-21). It calls a service account a bot.
import { narrowedBy, reads, removes, reveals, writes } from './prefect.actions.ts';
import type { Action } from './provider.ts';

/** Paths are relative to an account. */
export const prefectAccountActions: readonly Action[] = [
  reads('account-settings.get', 'GET /settings'),
  writes('account-settings.update', 'PATCH /settings'),
  reads('account-domain.list', 'GET /domains'),
  writes('account-domain.update', 'PATCH /domains'),
  reads('account-usage-limits.get', 'GET /usage_limits'),
  reads('account-usage.get', 'GET /usage'),
  reads('account-image.get', 'GET /image'),
  writes('account-image.replace', 'PUT /image'),
  removes('account-image.delete', 'DELETE /image'),

  writes('team.create', 'POST /teams/', 'create:team'),
  reads('team.get', 'GET /teams/{id}', 'read:team'),
  writes('team.replace', 'PUT /teams/{id}', 'update:team'),
  removes('team.delete', 'DELETE /teams/{id}', 'delete:team'),
  reads('team.list', 'POST /teams/filter', 'read:team'),
  writes('team-member.upsert', 'PUT /teams/{id}/members', 'update:team'),
  removes('team-member.delete', 'DELETE /teams/{team_id}/members/{actor_id}', 'update:team'),

  reads('account-membership.list', 'POST /account_memberships/filter', 'read:account_membership'),
  reads('account-membership.count', 'POST /account_memberships/count', 'read:account_membership'),
  reads('account-membership.get-by-user', 'GET /account_memberships/by-user/{user_id}', 'read:account_membership'),
  reads('account-membership.get-by-bot', 'GET /account_memberships/by-bot/{bot_id}', 'read:account_membership'),
  reads('account-membership.get', 'GET /account_memberships/{id}', 'read:account_membership'),
  writes('account-membership.update', 'PATCH /account_memberships/{id}', 'update:account_membership'),
  removes('account-membership.delete', 'DELETE /account_memberships/{id}', 'delete:account_membership'),
  writes('account-membership.update-active', 'PATCH /account_memberships/{id}/active', 'update:account_membership'),
  writes('account-membership.set-active', 'POST /account_memberships/set_active', 'update:account_membership'),

  reads('account-role.get', 'GET /account_roles/{id}', 'read:account_role'),
  writes('account-role.update', 'PATCH /account_roles/{id}', 'update:account_role'),
  removes('account-role.delete', 'DELETE /account_roles/{id}', 'delete:account_role'),
  reads('account-role.list', 'POST /account_roles/filter', 'read:account_role'),

  // Whoever has such a link may set up how the account signs in.
  reveals(reads('sso.get-setup-url', 'GET /sso/setup_url', 'administrate:sso')),
  reveals(reads('sso.get-directory-setup-url', 'GET /sso/dsync_setup_url', 'administrate:sso')),
  reads('sso.validate', 'POST /sso/validate', 'read:account'),
  reads('sso-integration.list', 'GET /sso/integrations', 'administrate:sso'),
  removes('sso-integration.delete', 'DELETE /sso/integrations/{integration_id}', 'administrate:sso'),

  // The answer holds the new account’s first key.
  reveals(writes('bot.create', 'POST /bots/', 'create:bot')),
  reads('bot.get', 'GET /bots/{id}', 'read:bot'),
  writes('bot.update', 'PATCH /bots/{id}', 'update:bot'),
  removes('bot.delete', 'DELETE /bots/{id}', 'delete:bot'),
  reads('bot.list', 'POST /bots/filter', 'read:bot'),
  reveals(writes('bot-api-key.rotate', 'POST /bots/{id}/rotate_api_key', 'update:bot')),
  reads('bot-api-key.list', 'GET /bots/{id}/read_bot_api_keys', 'read:bot'),
  removes('bot-api-key.delete', 'DELETE /bots/{id}/delete_bot_api_key/{api_key_id}', 'update:bot'),

  writes('invitation.create', 'POST /invitations/', 'create:invitation'),
  reads('invitation.get', 'GET /invitations/{id}', 'read:invitation'),
  reads('invitation.list', 'POST /invitations/filter', 'read:invitation'),
  reads('invitation.count', 'POST /invitations/count', 'read:invitation'),
  removes('invitation.revoke', 'POST /invitations/{id}/revoke', 'update:invitation'),

  writes('workspace.create', 'POST /workspaces/', 'create:workspace'),
  reads('workspace.get', 'GET /workspaces/{workspace_id}', 'read:workspace'),
  writes('workspace.update', 'PATCH /workspaces/{workspace_id}', 'write_workspace_settings'),
  removes('workspace.delete', 'DELETE /workspaces/{workspace_id}', 'manage_workspace_settings'),
  reads('workspace.list', 'POST /workspaces/filter', 'read:workspace'),

  writes('workspace-role.create', 'POST /workspace_roles/', 'create:workspace_role'),
  writes('workspace-role.update', 'PATCH /workspace_roles/{id}', 'update:workspace_role'),
  removes('workspace-role.delete', 'DELETE /workspace_roles/{id}', 'delete:workspace_role'),
  reads('workspace-role.get', 'GET /workspace_roles/{id}', 'read:workspace_role'),
  reads('workspace-role.list', 'POST /workspace_roles/filter', 'read:workspace_role'),

  reads('rate-limit-status.get', 'GET /rate-limits/status', 'read:account'),
  reads('rate-limit-usage.get', 'GET /rate-limits/usage', 'read:account'),
  reads('rate-limit-usage.download', 'GET /rate-limits/usage/download', 'read:account'),
  narrowedBy(
    ['workspace_id', 'api_key_name', 'actor_name'],
    reads('rate-limit-usage.list-orchestration', 'GET /rate-limits/orchestration-api', 'read:account'),
  ),
  narrowedBy(
    ['workspace_id', 'api_key_name', 'actor_name'],
    reads('rate-limit-usage.list-events', 'GET /rate-limits/events', 'read:account'),
  ),
  reads('rate-limit-api-key-name.list', 'GET /rate-limits/api-key-names', 'read:account'),
  reads('rate-limit-actor-name.list', 'GET /rate-limits/actor-names', 'read:account'),
  reads('rate-limit-allocation.list', 'GET /rate-limit-allocations/', 'read:account'),
  writes('rate-limit-allocation.upsert', 'PUT /rate-limit-allocations/', 'update:account'),

  writes('account-event.create', 'POST /events'),
  reads('account-event.list', 'POST /events/filter'),
  reads('account-event.list-next', 'GET /events/filter/next'),
  reads('account-event.count', 'POST /events/count-by/{countable}'),

  reads('account-managed-automation.list', 'GET /managed-automations/'),
  removes('account-managed-automation.delete-all', 'DELETE /managed-automations'),
  writes('account-managed-automation.quick-enable', 'POST /managed-automations/quick-enable'),
];

/** Paths are relative to the root of the API. */
export const prefectActorActions: readonly Action[] = [
  reads('account.get', 'GET /accounts/{account_id}'),
  writes('account.update', 'PATCH /accounts/{account_id}'),
  removes('account.delete', 'DELETE /accounts/{account_id}'),
  reads('account-permission.list', 'GET /accounts/permissions'),
  reads('workspace.find', 'GET /workspaces/{workspace_id}'),
  reads('workspace-scope.list', 'GET /workspace_scopes'),

  reads('me.get', 'GET /me/'),
  reads('me-session.list', 'GET /me/sessions'),
  reads('me-session.filter', 'POST /me/sessions/filter'),
  removes('me-session.terminate', 'POST /me/sessions/{session_id}/terminate'),
  narrowedBy(['name'], reads('me-api-key.list', 'GET /me/api_keys')),
  reads('me-api-key.filter', 'POST /me/api_keys/filter'),
  reads('me-account.list', 'GET /me/accounts'),
  reads('me-organization.list', 'GET /me/organizations'),
  reads('me-account-permission.list', 'GET /me/accounts/{account_id}/permissions'),
  narrowedBy(['permission'], reads('me-account.list-with-permission', 'GET /me/accounts/has_permission')),
  narrowedBy(['permission'], reads('me-account-permission.check', 'GET /me/accounts/{account_id}/has_permission')),
  removes('me-account.leave', 'DELETE /me/accounts/{account_id}'),
  reads('me-workspace.list', 'GET /me/workspaces'),
  reads('me-workspace-scope.list', 'GET /me/workspaces/{workspace_id}/scopes'),
  narrowedBy(['scope'], reads('me-workspace-scope.check', 'GET /me/workspaces/{workspace_id}/has_scope')),
  removes('me-workspace.leave', 'DELETE /me/workspaces/{workspace_id}'),
  writes('me-profile-image.replace', 'PUT /me/profile-image'),
  removes('me-profile-image.delete', 'DELETE /me/profile-image'),
  writes('me-profile-image.reset', 'POST /me/profile-image/reset'),

  reads('user.get', 'GET /users/{id}'),
  writes('user.update', 'PATCH /users/{id}'),
  removes('user.delete', 'DELETE /users/{id}'),
  reveals(writes('user-api-key.create', 'POST /users/{id}/api_keys')),
  narrowedBy(['name'], reads('user-api-key.list', 'GET /users/{id}/api_keys')),
  reads('user-api-key.get', 'GET /users/{id}/api_keys/{api_key_id}'),
  removes('user-api-key.delete', 'DELETE /users/{id}/api_keys/{api_key_id}'),

  reads('billing.get-details', 'GET /billing/{account_id}/details', 'read:billing'),
  reads('billing.get-restrictions', 'GET /billing/{account_id}/subscription_restrictions', 'read:billing'),
  writes('billing.cancel-subscription', 'POST /billing/{account_id}/cancel_org_subscription', 'update:billing'),
  writes('billing.update-slots', 'POST /billing/{account_id}/update_slots', 'update:billing'),
  // Links to pages of the payment service, which ask for nothing more.
  reveals(
    writes(
      'billing.create-portal-session',
      'POST /billing/{account_id}/create_billing_portal_session',
      'update:billing',
    ),
  ),
  writes('billing.validate-subscription', 'POST /billing/{account_id}/validate_subscription_status', 'update:billing'),
  reveals(writes('billing.subscribe', 'POST /billing/{account_id}/subscribe', 'update:billing')),
  reveals(writes('billing.manage-subscription', 'POST /billing/{account_id}/manage_subscription', 'update:billing')),

  reads('collection-view.get', 'GET /collections/views/{view}'),
  writes('invitation.accept', 'POST /invitations/{id}/accept'),
  writes('invitation.reject', 'POST /invitations/{id}/reject'),
];
