// What the declarations of this folder share. They are the services that a personal-finance application of the maybe and sure family
// reads from: none is known to make keys by an API, so a person makes them, and Claviger stores, lends, watches and proves.

export const BEARER = { in: 'header', name: 'Authorization', scheme: 'Bearer' } as const;

/** None of them says how soon a key that was ended is refused, and nobody has measured it: a minute is taken. */
export const UNMEASURED_SECONDS = 60;

/** Where a provider's own form of a refusal is not known: any JSON object. Keeps out pages and empty answers of what stands in between. */
export const ANY_OBJECT = { json: { '': { is: 'object' } } } as const;
