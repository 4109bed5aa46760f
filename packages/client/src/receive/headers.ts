// Reads one header from whatever a server framework hands over. Names are looked up without regard to case.

/** Headers of fetch, of Node.js (`request.headers`), or any record of names and values. */
export type HeadersLike =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The header's value, or null. A header that came several times counts as one, joined (RFC 9110, section 5.3). */
export function headerOf(headers: HeadersLike, name: string): string | null {
  if (isFetchHeaders(headers)) return headers.get(name);
  const direct = headers[name];
  if (direct !== undefined) return textOf(direct);
  const wanted = name.toLowerCase();
  for (const [key, value] of Object.entries(headers)) {
    if (value !== undefined && key.toLowerCase() === wanted) return textOf(value);
  }
  return null;
}

function isFetchHeaders(headers: HeadersLike): headers is { get(name: string): string | null } {
  return typeof headers["get"] === "function";
}

function textOf(value: string | readonly string[]): string {
  return typeof value === "string" ? value : value.join(", ");
}
