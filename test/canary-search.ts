// Searching bytes for secrets, in every form in which one may hide: as it is, base64, hexadecimal, percent-encoded, escaped for JSON, as
// numbers, in UTF-16. Knows no installation.

export const MARK = 'canary';

/** Every form in which a text may hide: a search for all of them finds it wherever it begins. */
function formsOf(secret: Buffer): Map<string, Buffer> {
  const forms = new Map<string, Buffer>([['as it is', secret]]);
  for (const shift of [0, 1, 2]) {
    // Characters that hold bits of what stands before or behind are left out.
    const encoded = Buffer.concat([Buffer.alloc(shift), secret])
      .toString('base64')
      .replace(/=+$/, '');
    const from = Math.ceil((shift * 8) / 6);
    const to = Math.floor(((shift + secret.length) * 8) / 6);
    forms.set(`as base64, shifted by ${shift}`, Buffer.from(encoded.slice(from, to)));
    const url = Buffer.from(encoded.slice(from, to).replaceAll('+', '-').replaceAll('/', '_'));
    forms.set(`as base64url, shifted by ${shift}`, url);
  }
  const hex = secret.toString('hex');
  forms.set('as hexadecimal', Buffer.from(hex));
  forms.set('as upper-case hexadecimal', Buffer.from(hex.toUpperCase()));
  const bytes = [...secret].map((byte) => byte.toString(16).padStart(2, '0'));
  forms.set('percent-encoded', Buffer.from(bytes.map((byte) => `%${byte}`).join('')));
  forms.set('escaped for JSON', Buffer.from(bytes.map((byte) => `\\u00${byte}`).join('')));
  forms.set('as a list of numbers', Buffer.from([...secret].join(',')));
  forms.set('in UTF-16', Buffer.from(secret.toString('latin1'), 'utf16le'));
  return forms;
}

export interface Wanted {
  readonly name: string;
  readonly forms: Map<string, Buffer>;
}

export function wanted(name: string, secret: Buffer | string): Wanted {
  return { name, forms: formsOf(Buffer.from(secret)) };
}

/** What was found, as `name, how, where` with what stands around it, the secret itself left out. */
export function search(where: string, bytes: Buffer, secrets: readonly Wanted[]): string[] {
  const found: string[] = [];
  for (const { name, forms } of secrets) {
    for (const [how, form] of forms) {
      const at = bytes.indexOf(form);
      if (at < 0) continue;
      const around = bytes
        .subarray(Math.max(0, at - 80), at)
        .toString('latin1')
        .replace(/[^\x20-\x7e]/g, '.');
      found.push(`${name}, ${how}, in ${where} at ${at}, behind: ${around}`);
    }
  }
  return found;
}
