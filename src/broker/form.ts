// Form bodies can carry a method override (`_method`, as Rails, Laravel and Symfony read it), and a body is not read by the decision. So forms
// are scanned while they pass: URL-encoded ones by their parameter names, multipart ones by the names of their parts.

const OVERRIDE = /^_method$/i;

/** Whether a content type is a form that may hold parameters, and which. */
export function formKind(contentType: string): 'urlencoded' | 'multipart' | null {
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  if (type === 'application/x-www-form-urlencoded') return 'urlencoded';
  return type.startsWith('multipart/') ? 'multipart' : null;
}

/** Whether a whole URL-encoded body names a method override, in any spelling. */
export function hasOverrideParameter(body: string): boolean {
  return body.split(/[&;]/).some((pair) => {
    const name = pair.split('=', 1)[0]!.replaceAll('+', ' ');
    let decoded = name;
    try {
      decoded = decodeURIComponent(name);
    } catch {
      // What cannot be decoded is judged as it stands.
    }
    return OVERRIDE.test(decoded.replace(/[[.].*$/s, '').trim());
  });
}

/** `name=_method`, quoted or not, in a part's Content-Disposition. Bounded, so that a chunk boundary cannot hide it. */
const PART_NAME = /name\*?\s*=\s*"?(?:utf-8'[^']{0,16}')?(?:_|%5f)method\b/i;
const OVERLAP = 96;

/** A scanner over the chunks of a multipart body: true from the chunk on in which an override was named. */
export function createPartScanner(): (chunk: Uint8Array) => boolean {
  let tail = '';
  return (chunk) => {
    const text = tail + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    tail = text.slice(-OVERLAP);
    return PART_NAME.test(text);
  };
}
