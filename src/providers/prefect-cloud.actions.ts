// Prefect Cloud's catalogue: a name for each of the 436 operations of its OpenAPI document, API 0.8.4 (read 2026-11-21), and for its
// WebSockets, so that grants speak of `flow-run.create` and not of paths. It decides nothing: matching and authorising belong to the broker and to access.
//
// Names are `resource.verb` after the paths, resources in the singular. A POST that only asks (`…/filter`, `…/count`, `…/paginate`) is a read;
// one that hands out work is not, since the service records the poll. Minting or revealing is marked where a documented answer has room for a
// credential: a key, the slug of a webhook (whoever knows it may send), a block document (its secrets, with `include_secrets`), a signed link.
import { below } from './prefect.actions.ts';
import { prefectOrchestrationActions, prefectSocketActions } from './prefect.orchestration.actions.ts';
import { prefectAccountActions, prefectActorActions } from './prefect-cloud.account.actions.ts';
import { prefectWorkspaceActions } from './prefect-cloud.workspace.actions.ts';
import type { Action } from './provider.ts';

const ACCOUNT = '/api/accounts/{account_id}';
const WORKSPACE = `${ACCOUNT}/workspaces/{workspace_id}`;

/** The client of 3.8.8 sends its key to this one as `Authorization: bearer …` of the handshake, offers no subprotocol, and sends no first message. */
function withKeyInHandshake(action: Action): Action {
  if (action.name !== 'event.publish') return action;
  const { firstFrame: _, ...rest } = action;
  return rest;
}

export const prefectCloudActions: readonly Action[] = [
  ...below('/api', prefectActorActions),
  ...below(ACCOUNT, prefectAccountActions),
  ...below(WORKSPACE, prefectWorkspaceActions),
  ...below(WORKSPACE, prefectOrchestrationActions),
  ...below(WORKSPACE, prefectSocketActions.map(withKeyInHandshake)),
];
