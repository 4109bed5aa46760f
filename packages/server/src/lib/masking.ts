// Header values that nobody should read back: which ones they are, and what stands in their place.
// Errs on the side of hiding: a name that only looks secret is masked too.

/** Shown instead of a secret value; sent back in a change it means "as it is". */
export const MASK = "********";

const SECRET_NAME =
  /authorization|cookie|credential|key|password|passwd|secret|session|signature|token|\bauth\b|-auth-|^auth/i;

/** True for names such as `Authorization`, `X-API-Key` or `Set-Cookie`. */
export function isSecretHeader(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** Headers with the values of the secret ones masked; order and spelling stay. */
export function maskHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, isSecretHeader(name) ? MASK : value]),
  );
}
