// What a browser is shown when it comes back from a consent: a few fixed pages. Nothing of the request stands in them, no script runs, nothing is
// loaded, and the address, which holds a code, is told to nobody.
import type { ConsentState } from './consent.ts';

function page(title: string, text: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>${title}</title>
<style>body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1rem; color-scheme: light dark }</style>
</head>
<body>
<h1>${title}</h1>
<p>${text}</p>
</body>
</html>
`;
}

const PAGES = {
  brought: page('Done', 'Claviger has the key. You can close this page.'),
  denied: page('Nothing was given', 'You did not agree, so Claviger was given no key. You can close this page.'),
  refused: page(
    'The key was not taken',
    'Claviger could not take the key. Whoever sent you here is told why, and begins again. You can close this page.',
  ),
  unknown: page(
    'Nobody waits for this',
    'This address works once, within ten minutes. Whoever sent you here begins again. You can close this page.',
  ),
} as const;

/** The page for what became of a consent; null: nobody waited for the answer. */
export function consentPage(state: ConsentState | null): { readonly status: number; readonly body: string } {
  switch (state) {
    case 'brought':
      return { status: 200, body: PAGES.brought };
    case 'denied':
      return { status: 403, body: PAGES.denied };
    case 'refused':
      return { status: 403, body: PAGES.refused };
    default:
      return { status: 410, body: PAGES.unknown };
  }
}
