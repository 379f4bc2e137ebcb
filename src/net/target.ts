// The request target (path and query) in the one form that every parser reads alike: RFC 3986 characters only, one slash at a
// time, no dot segments in any spelling, no encoded controls or backslashes in the path. Nothing is normalised: a target that
// would need it is not plain. Not here: which paths a grant allows (the broker's catalogue).

const PATH = /^\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$/;
const QUERY = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?[\]|]|%[0-9A-Fa-f]{2})*$/;
const TREACHEROUS = /%[01][0-9a-f]|%7f|%5c|\/\/|(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i;
const LENGTH_MAX = 8192;

/** Whether the target begins with one slash, may be sent as it stands, and means the same to everybody. No fragment. */
export function isPlainTarget(target: string): boolean {
  if (target.length > LENGTH_MAX) return false;
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark + 1);
  return PATH.test(path) && !TREACHEROUS.test(path) && QUERY.test(query);
}
